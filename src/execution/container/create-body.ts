/** What the engine is asked for when a container is made: all the walls around the program, in one place. Pure. */
import type { ContainerTask, ExecutionLimits } from '../executor.ts'
import type { EngineKind } from './socket.ts'

/** `nobody`: a user that owns nothing on any machine. The image's own user does not count. */
const uid = 65_534
/** Processes and threads. CPython with its pools has some tens, a JVM some hundreds. */
export const pidsMax = 512
const openFilesMax = 4_096
/** Counted for all containers together, which share one user; `pidsMax` is the limit of each. Podman itself may have no more than 32,768. */
const processesMax = 8_192
/** The guard is `least-image.ts`; the rest is what an engine's own start-up takes within the limit. */
const guardMemoryBytes = 32 * 1_024 * 1_024
const guardPids = 64
export const outFilesMax = 65_536
/** The folder itself, and one too many, so that too many can be told from just enough. */
const ownInodes = 2
const pageBytes = 4_096

export interface Labels {
  readonly owner: string
  readonly task: string
}

export interface ProgramBody {
  readonly task: ContainerTask
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string>>
  readonly hasStdin: boolean
  readonly limits: ExecutionLimits
  readonly reference: string
  /** Folders that the image wants to be written to. */
  readonly imageVolumes: readonly string[]
  readonly volumes: TaskVolumes
  /** Container whose network it has; null: one of its own. */
  readonly network: string | null
  readonly kind: EngineKind
  readonly labels: Labels
}

export interface TaskVolumes {
  readonly inputs: string
  readonly outputs: string
}

/** Of a container and of a volume alike: by them what a dead peer left is found. */
export function labelsOf({ owner, task }: Labels): Record<string, string> {
  return { 'pleach.owner': owner, 'pleach.task': task }
}

/**
 * /out is memory with a limit in blocks. `nr_blocks` and not `size`: Podman before 5 takes that word for a disk quota, and
 * refuses it. Small files take whole pages, and so there is one page more for each file.
 */
export function outputsVolume(name: string, outputBytes: number, labels: Labels): object {
  const blocks = Math.ceil(outputBytes / pageBytes) + outFilesMax
  const options = `nr_blocks=${blocks},nr_inodes=${outFilesMax + ownInodes},uid=${uid},gid=${uid},mode=0700,nosuid,nodev`
  return {
    Name: name,
    Driver: 'local',
    DriverOpts: { type: 'tmpfs', device: 'tmpfs', o: options },
    Labels: labelsOf(labels),
  }
}

/** Content that is there for certain, when so many blocks and files of such a volume are in use. */
export function contentAtLeast(usedBytes: number, files: number): number {
  return usedBytes - files * pageBytes
}

export function inputsVolume(name: string, labels: Labels): object {
  return { Name: name, Driver: 'local', Labels: labelsOf(labels) }
}

/** Holds both volumes while the program runs and after: memory that nobody mounts is gone. */
export function guardBody(reference: string, volumes: TaskVolumes, network: object, labels: Labels): object {
  // In a network that is a service's own anybody may listen on port 80; it has no rights otherwise.
  const sysctls = { 'net.ipv4.ip_unprivileged_port_start': '0' }
  return {
    ...body(reference, labels),
    Cmd: ['wait'],
    HostConfig: {
      ...walls(guardMemoryBytes, guardPids),
      ...network,
      Sysctls: sysctls,
      Binds: [`${volumes.inputs}:/in:rw,nocopy`, `${volumes.outputs}:/out:rw,nocopy`],
    },
  }
}

export function programBody(asked: ProgramBody): object {
  const { task, args, env, hasStdin, limits, reference, imageVolumes, volumes, network, kind, labels } = asked
  // One that shares another's network has its name as well.
  const { Hostname: _, ...inNetwork } = body(reference, labels)
  const folder = `rw,exec,nosuid,nodev,mode=1777,size=${limits.memoryBytes}`
  const folders = ['/tmp', ...imageVolumes.filter((path) => path !== '/in' && path !== '/out')]
  return {
    ...(network === null ? body(reference, labels) : inNetwork),
    ...(task.entrypoint === null ? {} : { Entrypoint: task.entrypoint }),
    ...(args.length === 0 ? {} : { Cmd: args }),
    Env: Object.entries(env).map(([name, value]) => `${name}=${value}`),
    AttachStdout: true,
    AttachStderr: true,
    ...(hasStdin ? { AttachStdin: true, OpenStdin: true, StdinOnce: true } : {}),
    HostConfig: {
      ...walls(limits.memoryBytes, pidsMax),
      NanoCpus: task.cpuMilli * 1_000_000,
      ...(network === null ? networkOf(task.egress) : { NetworkMode: `container:${network}` }),
      Binds: [`${volumes.inputs}:/in:ro,nocopy`, `${volumes.outputs}:/out:rw,nocopy`],
      Tmpfs: Object.fromEntries(folders.map((path) => [path, folder])),
      ...gpusOf(task.gpus, kind),
    },
  }
}

/** Without a word an engine gives its own bridge: the way to the internet, and to the owner's network. */
export function networkOf(egress: boolean): object {
  return egress ? {} : { NetworkMode: 'none' }
}

function body(reference: string, labels: Labels) {
  return {
    Image: reference,
    User: `${uid}:${uid}`,
    Hostname: 'pleach',
    Labels: labelsOf(labels),
    // An image may bring a command that its engine runs again and again.
    Healthcheck: { Test: ['NONE'] },
  }
}

function walls(memoryBytes: number, pids: number): object {
  return {
    ReadonlyRootfs: true,
    CapDrop: ['ALL'],
    SecurityOpt: ['no-new-privileges'],
    PidsLimit: pids,
    Memory: memoryBytes,
    // Memory and swap together: none of the latter.
    MemorySwap: memoryBytes,
    OomScoreAdj: 1_000,
    IpcMode: 'private',
    // runc does not start where the engine's own limits are lower than its defaults, unless both are said.
    Ulimits: [
      { Name: 'nofile', Soft: openFilesMax, Hard: openFilesMax },
      { Name: 'nproc', Soft: processesMax, Hard: processesMax },
      { Name: 'core', Soft: 0, Hard: 0 },
    ],
    // What it prints comes to us and stands nowhere else: a flood must not fill the owner's disk.
    LogConfig: { Type: 'none' },
  }
}

function gpusOf(gpus: number, kind: EngineKind): object {
  if (gpus === 0) return {}
  if (kind === 'docker') return { DeviceRequests: [{ Driver: 'nvidia', Count: gpus, Capabilities: [['gpu']] }] }
  // Podman knows them by their names in the Container Device Interface.
  return {
    Devices: Array.from({ length: gpus }, (_, index) => ({
      PathOnHost: `nvidia.com/gpu=${index}`,
      PathInContainer: '',
      CgroupPermissions: '',
    })),
  }
}
