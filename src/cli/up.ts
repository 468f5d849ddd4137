/** `pleach up`: a peer in the foreground, until it is asked to stop. */
import { measureMachine } from '../config/capacity.ts'
import { readConfigFile } from '../config/config-file.ts'
import { defaultProfile, directoriesOf, type Directories } from '../config/directories.ts'
import { exits } from '../config/error.ts'
import type { PeerOptions } from '../config/options.ts'
import type { RunningPeer } from '../config/pid-file.ts'
import { gatherSettings, resolveOptions, type FlagTexts } from '../config/resolve.ts'
import { flagOf, settingNames, settings } from '../config/settings.ts'
import { realClock, realRandom } from '../environment.ts'
import { defineCommand, type Flag, type Invocation } from './command.ts'
import { profileOf } from './connect.ts'
import { safe } from './escape.ts'
import type { ForegroundPeer } from './foreground-peer.ts'
import { span } from './format.ts'
import { createLog } from './log-lines.ts'
import { listenForStop } from './signals.ts'
import { stopPeers } from './stop-peers.ts'
import type { Terminal } from './terminal.ts'
import { bannerLines } from './up-banner.ts'

const flags: Readonly<Record<string, Flag>> = Object.fromEntries(
  settingNames.map((name): [string, Flag] => {
    const { isList, placeholder, about } = settings[name]
    if (placeholder === '') return [flagOf(name).slice(2), { type: 'switch', about }]
    return [flagOf(name).slice(2), { type: isList ? 'list' : 'text', placeholder, about }]
  }),
)

/** Said once, and no setting: nobody shall have it in a file. */
const onlyOne: Flag = {
  type: 'switch',
  about: 'no other peer has this key: after a backup was restored, or a copied folder was stopped',
}

export const command = defineCommand({
  usage: 'up [--offer] [flags]',
  about: [
    'Runs a peer in the foreground. Every flag is also a variable (--max-time: PLEACH_MAX_TIME) and a key of config.yaml',
    '(maxTime). Ctrl-C or SIGTERM stops it in good order, within 10 s; a second one at once. The log is on stderr, as JSON',
    'lines when that is no terminal. With --json one object on stdout says when the peer is ready.',
  ],
  flags: { ...flags, 'only-one': onlyOne },
  takes: [],
  handlesSignals: true,
  async run(invocation) {
    const { env, terminal } = invocation
    const directories = directoriesOf(env, profileOf(invocation) ?? defaultProfile)
    const file = await readConfigFile(directories.configFile)
    const said = gatherSettings({ flags: flagTexts(invocation.flags), env, file })
    const resolved = resolveOptions(said, await measureMachine(directories.data, realClock.nowMs()), directories)
    const options = invocation.flags['only-one'] ? { ...resolved, isOnlyOne: true } : resolved
    for (const key of file?.withoutEffect ?? [])
      terminal.note(`warning: ${safe(key)} in ${file?.path} has no effect here`)
    const { lockProfile } = await import('../control/lock.ts')
    const self = { pid: process.pid, startedMs: Date.now(), socket: directories.socket }
    const attempt = lockProfile(directories.data, self)
    if (!attempt.held) return alreadyRunning(terminal, attempt.by)
    try {
      return await serve(options, directories, invocation)
    } finally {
      attempt.lock.release()
    }
  },
})

async function serve(
  options: PeerOptions,
  directories: Directories,
  { terminal, env }: Invocation<typeof flags>,
): Promise<number> {
  const startedMs = performance.now()
  const stop = listenForStop()
  const log = createLog(terminal, terminal.quiet ? 'error' : 'info')
  const { createPeer } = await import('../node.ts')
  const peer: ForegroundPeer = await createPeer(options, { clock: realClock, random: realRandom, log })
  try {
    const { serveControl } = await import('../control/server.ts')
    let isReady = false
    const house = { control: peer.control, isReady: () => isReady, stop: () => stop.ask() }
    const server = await serveControl(directories.socket, house, { clock: realClock, log })
    try {
      const facts = await peer.ready(stop.signal)
      isReady = true
      const readyMs = performance.now() - startedMs
      terminal.note(...bannerLines(peer, facts, options, readyMs, env['HOME']))
      if (terminal.json) {
        const { name, petname } = peer
        const { network, profile } = options
        const about = { peer: name, petname, network, profile, addresses: peer.addresses(), socket: directories.socket }
        await terminal.printJson({ v: 1, ready: true, readyMs: Math.round(readyMs), ...about, ...facts })
      }
      await stop.asked
    } catch (error) {
      if (!stop.signal.aborted) throw error
    } finally {
      await server.close()
    }
  } catch (error) {
    await stopPeers([peer], terminal)
    throw error
  }
  return stopPeers([peer], terminal)
}

async function alreadyRunning(terminal: Terminal, by: RunningPeer | undefined): Promise<number> {
  const upMs = by === undefined ? undefined : Date.now() - by.startedMs
  if (terminal.json)
    await terminal.printJson({ v: 1, ready: true, already: true, pid: by?.pid ?? null, upMs: upMs ?? null })
  else {
    const who = by === undefined || upMs === undefined ? 'starting just now' : `pid ${by.pid}, up ${span(upMs)}`
    terminal.note(`pleach is already running (${who}, same profile). Nothing to do.`)
  }
  return exits.ok
}

/** The settings that were given as flags, as they were written. */
function flagTexts(values: Readonly<Record<string, boolean | string | readonly string[] | undefined>>): FlagTexts {
  return Object.fromEntries(
    settingNames.flatMap((name) => {
      const value = values[flagOf(name).slice(2)]
      if (value === undefined || value === false || (Array.isArray(value) && value.length === 0)) return []
      return [[name, value === true ? ['true'] : Array.isArray(value) ? value : [value]]]
    }),
  )
}
