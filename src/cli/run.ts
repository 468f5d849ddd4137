/** `pleach run`: a job from here to its receipt. The program's stdout is ours, its stderr ours, its exit code ours. */
import { exits } from '../config/error.ts'
import type { EstimateView, JobSpec } from '../control/api.ts'
import type { ControlClient } from '../control/client.ts'
import { defineCommand, type Invocation } from './command.ts'
import { connect } from './connect.ts'
import { safe } from './escape.ts'
import { follow } from './follow.ts'
import { count, span } from './format.ts'
import { noMatchProblem } from './no-match.ts'
import { Failure } from './problem.ts'
import { jobSpecOf, runFlags } from './run-spec.ts'
import { spoolStdin } from './stdin-file.ts'
import { Timeline } from './timeline.ts'

export const command = defineCommand({
  usage: 'run [flags] MODULE [-- ARGS]      run [flags] --image FILE [-- ARGS]      run [flags] -f FILE [-- ARGS]',
  about: [
    "Runs a WASI module on another machine. The program's stdout is our stdout byte for byte, its stderr our stderr; the",
    "course of the job is told on stderr (with -q not). The exit code is the program's own when it ran; 4 when no provider",
    'matches, 5 when none answered in time, 3 when a result did not hold, 8 when it would cost too much. Ctrl-C detaches: the',
    'job goes on.',
    '',
    'With --json the last line on stdout is one object: { v, job, exitCode, stdoutBase64, stdoutCut, receipt }, and nothing',
    "else is on stdout; the program's stderr goes to stderr.",
    '',
    'An image (--image) is run in a container, where a provider has an engine for it. It is an OCI archive, as docker save and',
    'podman save --format oci-archive write it, and travels like any input; or NAME@sha256:…, where a provider fetches images.',
    '',
    'With --port it is a service: it runs until it is cancelled or --timeout is over, and pleach forward leads to it.',
    '',
    'A job file has the keys module or image, args, env, inputs, stdin, out, cpu, memory, disk, timeout, code, maxPrice, maxCost,',
    'wait, retries, logBytes, outputBytes, gasMax, deterministic, check, type, ports, health; relative paths begin at its own',
    'folder.',
    '',
    'Small work with --deterministic that goes to a peer of whom little is known yet is done by one that is known as well, or,',
    'while nobody is, a few times by this machine. Nothing of it is shown before both are done and were compared. Both',
    'are paid, together within --max-cost. --check never has it done once.',
  ],
  flags: runFlags,
  takes: ['MODULE?'],
  takesRest: true,
  async run(invocation) {
    const { flags, signal, positionals, rest, terminal } = invocation
    const client = await connect(invocation)
    const spooled = flags.stdin === '-' ? await spoolStdin(signal) : undefined
    let spec, job
    try {
      spec = await jobSpecOf({ flags, module: positionals[0], args: rest, stdinFile: spooled?.path })
      if (flags['dry-run']) return await dryRun(client, spec, invocation)
      job = await client.submit(spec, signal)
    } finally {
      // A submitted job is named by what is in its files: the peer has read them.
      await spooled?.remove()
    }
    return follow(client, job, new Timeline(terminal, spec), invocation)
  },
})

/** Nothing is bid for: what it would come to, on stdout. */
async function dryRun(
  client: ControlClient,
  spec: JobSpec,
  { terminal, signal }: Pick<Invocation<typeof runFlags>, 'terminal' | 'signal'>,
): Promise<number> {
  const estimate = await client.estimate(spec, signal)
  if (estimate.pass === 0) throw new Failure(noMatchProblem(estimate.explanation))
  if (terminal.json) await terminal.printJson(estimate)
  else await terminal.print(estimateLine(estimate))
  return exits.ok
}

function estimateLine({ known, reachable, pass, ready, asked, answered, startInMs, ...costs }: EstimateView): string {
  const [from, to, unit] = [costs.costFrom ?? '', costs.costTo ?? '', costs.unit].map((text) => safe(text, 32))
  const cost = from === to ? from : `${from}-${to}`
  const silent = asked === answered ? '' : `, ${asked - answered} did not answer in time`
  const could =
    startInMs === null
      ? 'none of them is free now'
      : `would cost at most ${cost} ${unit}, start in ~${span(startInMs)} (${ready} of ${asked} asked are free${silent})`
  return `${count(known, 'provider')} known, ${reachable} reachable, ${pass} pass - ${could}`
}
