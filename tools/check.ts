// `npm test`: every check of the repository, one line per step, and the whole output of a step that fails.
//
//   node tools/check.ts [STEP …] [TEST FILE or GLOB …] [--coverage]
//
// Without a STEP all of them run. With a file or glob, only those tests do: `npm test -- test/wire/frame.test.ts`.

import { spawn } from 'node:child_process'
import { globSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { styleText } from 'node:util'

const testTimeoutMs = 120_000
/** The timeout of a test does not end a file that keeps a socket or a timer open; this ends the step, and names it. */
const stepTimeoutMs = 15 * 60_000
/** One more than the processors that the checks are made for: those that have others around them wait more than they work. */
const testFilesAtOnce = 3
/** What has commands of its own, or needs more than a plain machine. */
const testsElsewhere = ['live', 'bench', 'crash', 'hostile'].map((name) => `test/${name}/**`)

type Step = { name: string; command: string[]; shown: 'when it fails' | 'always' }

const root = join(import.meta.dirname, '..')
const binaries = join(root, 'node_modules', '.bin')
/**
 * Each test file is a process, and many start others: what V8 made of our code and of libp2p's is kept from one to the next. Not where
 * coverage is asked for, which it blurs.
 */
const compileCache = join(root, 'node_modules', '.cache', 'pleach-checks')
const environment = (coverage: boolean): NodeJS.ProcessEnv => ({
  ...process.env,
  PATH: `${binaries}${delimiter}${process.env['PATH']}`,
  ...(coverage ? {} : { NODE_COMPILE_CACHE: process.env['NODE_COMPILE_CACHE'] ?? compileCache }),
})

const testCommand = (patterns: string[], coverage: boolean): string[] => {
  const chosen = patterns.length > 0 ? patterns : ['test/**/*.test.ts']
  const files = globSync(chosen, { cwd: root, exclude: patterns.length > 0 ? [] : testsElsewhere }).toSorted()
  if (files.length === 0) throw new Error(`no test file fits ${chosen.join(' ')}`)
  const covered = ['src', 'protocols', 'sim'].map((name) => `--test-coverage-include=${name}/**`)
  return [
    process.execPath,
    '--disable-warning=ExperimentalWarning',
    '--test',
    `--test-concurrency=${testFilesAtOnce}`,
    `--test-timeout=${testTimeoutMs}`,
    '--test-reporter=spec',
    ...(coverage ? ['--experimental-test-coverage', '--test-coverage-exclude=**/*_pb.ts', ...covered] : []),
    ...files,
  ]
}

/** Real peers boot, every bid reaches everybody, every record is found; otherwise the exit code is 3. */
const liveCommand = (...how: string[]): string[] => [process.execPath, 'sim/main.ts', 'run', 'boot', ...how, '--json']

const stepsFor = (patterns: string[], coverage: boolean): Step[] => [
  { name: 'types', command: ['tsc'], shown: 'when it fails' },
  // What has no name that others could write is an error there alone.
  { name: 'exports', command: ['tsc', '-p', 'tsconfig.build.json', '--noEmit'], shown: 'when it fails' },
  { name: 'lint', command: ['oxlint'], shown: 'when it fails' },
  { name: 'format', command: ['oxfmt', '--check'], shown: 'when it fails' },
  { name: 'protobuf', command: [process.execPath, 'tools/proto-drift.ts'], shown: 'when it fails' },
  // Shown as it comes: a run of some minutes that says nothing looks like one that hangs.
  { name: 'tests', command: testCommand(patterns, coverage), shown: 'always' },
  // After the tests, and one after the other: each wants the whole machine.
  { name: 'live', command: liveCommand('--peers', '300'), shown: 'when it fails' },
  { name: 'live-tcp', command: liveCommand('--peers', '100', '--tcp'), shown: 'when it fails' },
]

/** Runs one step; true when it passed. */
const run = async ({ name, command, shown }: Step, env: NodeJS.ProcessEnv): Promise<boolean> => {
  const startedMs = performance.now()
  const [program = '', ...args] = command
  const child = spawn(program, args, { cwd: root, env, stdio: shown === 'always' ? 'inherit' : 'pipe' })
  const output: Buffer[] = []
  child.stdout?.on('data', (chunk: Buffer) => output.push(chunk))
  child.stderr?.on('data', (chunk: Buffer) => output.push(chunk))
  // On an interrupt, node's test runner says which files are still running, and sums up.
  const overdue = setTimeout(() => child.kill('SIGINT'), stepTimeoutMs)
  const passed = await new Promise<boolean>((resolve) => {
    child.once('close', (code) => resolve(code === 0))
    child.once('error', (error) => {
      output.push(Buffer.from(`${program}: ${error.message}\nnpm ci installs what is missing\n`))
      resolve(false)
    })
  })
  clearTimeout(overdue)
  if (!passed) process.stdout.write(Buffer.concat(output))
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1)
  const mark = passed ? styleText('green', 'ok  ') : styleText('red', 'FAIL')
  console.log(`${mark} ${name.padEnd(8)} ${seconds.padStart(6)} s`)
  return passed
}

const main = async (args: string[]): Promise<void> => {
  const coverage = args.includes('--coverage')
  const patterns = args.filter((arg) => /[./*]/.test(arg))
  const steps = stepsFor(patterns, coverage)
  const names = args.filter((arg) => arg !== '--coverage' && !patterns.includes(arg))
  const unknown = names.find((name) => !steps.some((step) => step.name === name))
  if (unknown !== undefined) {
    console.error(`error: no step is called ${unknown}; there are ${steps.map((step) => step.name).join(', ')}`)
    process.exitCode = 2
    return
  }
  const only = names.length > 0 ? names : patterns.length > 0 || coverage ? ['tests'] : steps.map((step) => step.name)
  const failed: string[] = []
  for (const step of steps.filter(({ name }) => only.includes(name))) {
    if (!(await run(step, environment(coverage)))) failed.push(step.name)
  }
  if (failed.length > 0) {
    console.log(styleText('red', `failed: ${failed.join(', ')}`))
    process.exitCode = 1
  }
}

try {
  await main(process.argv.slice(2))
} catch (error) {
  console.error(`error: ${error instanceof Error ? error.message : String(error)}`)
  process.exitCode = 2
}
