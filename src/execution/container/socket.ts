/** Where an engine listens, and which one it is. */
import { access, constants } from 'node:fs/promises'

import { z } from 'zod'

import type { Engine } from './engine.ts'

export type EngineKind = 'docker' | 'podman'

export interface EngineFacts {
  readonly kind: EngineKind
  /** `podman 5.4`. */
  readonly version: string
  readonly architecture: string
  /** What it cannot limit, in words; empty when it can all that we need. */
  readonly lacks: readonly string[]
}

const versionSchema = z.object({
  Version: z.string().max(64),
  Arch: z.string().max(64),
  Components: z.array(z.object({ Name: z.string().max(100) })).nullish(),
})
const infoSchema = z.object({
  MemoryLimit: z.boolean(),
  PidsLimit: z.boolean().nullish(),
  CpuCfsQuota: z.boolean(),
})

/** The sockets that an engine of this machine may have, the owner's word first. */
export function socketPaths(env: Readonly<Record<string, string | undefined>>): string[] {
  const { DOCKER_HOST: host, XDG_RUNTIME_DIR: runtime } = env
  // Engines over TCP are of other machines, or open to all of this one.
  const said = host?.startsWith('unix://') === true ? [host.slice('unix://'.length)] : []
  const own = runtime === undefined ? [] : [`${runtime}/podman/podman.sock`]
  return [...said, '/var/run/docker.sock', ...own, '/run/podman/podman.sock']
}

/** Whether there is such a socket, and we may speak to it. */
export async function mayUse(path: string): Promise<boolean> {
  return access(path, constants.R_OK | constants.W_OK).then(
    () => true,
    () => false,
  )
}

export async function factsOf(engine: Engine, signal: AbortSignal): Promise<EngineFacts> {
  const version = versionSchema.parse(await engine.ask('GET', '/version', { signal }))
  const info = infoSchema.parse(await engine.ask('GET', '/info', { signal }))
  const kind = version.Components?.some(({ Name }) => Name.startsWith('Podman')) === true ? 'podman' : 'docker'
  const lacks = [
    ...(info.MemoryLimit ? [] : ['memory']),
    ...(info.PidsLimit === false ? ['processes'] : []),
    ...(info.CpuCfsQuota ? [] : ['processor time']),
  ]
  const short = /^\d+\.\d+/.exec(version.Version)?.[0] ?? version.Version.slice(0, 20)
  return { kind, version: `${kind} ${short}`, architecture: version.Arch, lacks }
}
