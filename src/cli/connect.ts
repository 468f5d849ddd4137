/**
 * Which peer a plain command speaks to: the one of the profile that was named; else that of a context that somebody answers
 * for (a devnet leaves one); else the default profile's.
 */
import { liveContext } from '../config/context.ts'
import { defaultProfile, directoriesOf } from '../config/directories.ts'
import type { Env } from '../config/error.ts'
import { readPidFile } from '../config/pid-file.ts'
import { createControlClient, type ControlClient } from '../control/client.ts'
import { count } from './format.ts'
import type { Terminal } from './terminal.ts'

export interface Connecting {
  readonly flags: { readonly profile: string | undefined }
  readonly env: Env
  readonly signal: AbortSignal
  readonly terminal: Terminal
}

/** The profile that was named, if one was. */
export function profileOf({ flags, env }: Pick<Connecting, 'flags' | 'env'>): string | undefined {
  const named = flags.profile ?? env['PLEACH_PROFILE']
  return named === '' ? undefined : named
}

export async function connect({ flags, env, signal, terminal }: Connecting): Promise<ControlClient> {
  const profile = profileOf({ flags, env })
  const directories = directoriesOf(env, profile ?? defaultProfile)
  if (profile === undefined) {
    const context = await liveContext(directories.contextFile)
    if (context !== undefined) {
      const { name, peers, pid, socket } = context
      terminal.say(`context ${name} (${count(peers, 'peer')}, pid ${pid}); your own peer: --profile ${defaultProfile}`)
      return createControlClient(socket, signal)
    }
  }
  // The peer says itself where it listens: it may have been started where XDG_RUNTIME_DIR was another.
  return createControlClient(readPidFile(directories.data)?.socket ?? directories.socket, signal)
}
