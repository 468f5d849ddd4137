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
/** Bytes in an engine's file for one byte of log, when each is a line: the time stands before it, or a JSON object around it. */
const logOverhead: Readonly<Record<EngineKind, number>> = { podman: 47, docker: 96 }
const logSlackBytes = 64 * 1_024
/** Of one log in an engine's file. */
export const engineLogBytesMax = 1_024 * 1_024 * 1_024

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
  /** Container whose namespace of processes it has. */
  readonly guard: string
  /** Whether it has the guard's network as well; else one of its own. */
  readonly isService: boolean
  /** Whether the engine is to keep the log, for a peer that was restarted. */
  readonly isKept: boolean
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

/** All in whole seconds. */
export interface GuardTimes {
  /** Without a word of the peer: then it ends, and all that share its namespace of processes. */
  readonly aloneSeconds: number
  /** Until it ends the program. */
  readonly wallSeconds: number
}

/** Holds both volumes while the program runs and after: memory that nobody mounts is gone. Keeps watch over the program. */
export function guardBody(
  reference: string,
  volumes: TaskVolumes,
  network: object,
  { aloneSeconds, wallSeconds }: GuardTimes,
  kind: EngineKind,
  labels: Labels,
): object {
  // In a network that is a service's own anybody may listen on port 80; it has no rights otherwise.
  const sysctls = { 'net.ipv4.ip_unprivileged_port_start': '0' }
  return {
    ...body(reference, labels),
    Cmd: ['guard', 'for', String(aloneSeconds), String(wallSeconds)],
    HostConfig: {
      ...walls(guardMemoryBytes, guardPids),
      ...network,
      // Docker gives nothing else; Podman does as its configuration says.
      ...(kind === 'podman' ? { PidMode: 'private' } : {}),
      Sysctls: sysctls,
      Binds: [`${volumes.inputs}:/in:rw,nocopy`, `${volumes.outputs}:/out:rw,nocopy`],
    },
  }
}

export function programBody(asked: ProgramBody): object {
  const { task, args, env, hasStdin, limits, reference, imageVolumes, volumes, guard, isService, kind, labels } = asked
  // One that shares another's network has its name as well.
  const { Hostname: _, ...inNetwork } = body(reference, labels)
  const folder = `rw,exec,nosuid,nodev,mode=1777,size=${limits.memoryBytes}`
  const folders = ['/tmp', ...imageVolumes.filter((path) => path !== '/in' && path !== '/out')]
  return {
    ...(isService ? inNetwork : body(reference, labels)),
    ...(task.entrypoint === null ? {} : { Entrypoint: task.entrypoint }),
    ...(args.length === 0 ? {} : { Cmd: args }),
    Env: Object.entries(env).map(([name, value]) => `${name}=${value}`),
    AttachStdout: true,
    AttachStderr: true,
    ...(hasStdin ? { AttachStdin: true, OpenStdin: true, StdinOnce: true } : {}),
    HostConfig: {
      ...walls(limits.memoryBytes, pidsMax),
      NanoCpus: limits.cpuMilli * 1_000_000,
      ...(isService ? { NetworkMode: `container:${guard}` } : networkOf(task.egress)),
      PidMode: `container:${guard}`,
      ...(asked.isKept ? { LogConfig: keptLog(limits.logBytes, kind) } : {}),
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

/** Beyond `max-size` an engine throws away what it has: the log of nobody's reading must fit, however it is written down. */
function keptLog(logBytes: number, kind: EngineKind): object {
  const bytes = Math.min(logBytes * logOverhead[kind], engineLogBytesMax)
  const size = { 'max-size': String(bytes + logSlackBytes) }
  // A second file tells that the first became too long.
  if (kind === 'docker') return { Type: 'json-file', Config: { ...size, 'max-file': '2' } }
  return { Type: 'k8s-file', Config: size }
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
    // What it prints comes to us and stands nowhere else, unless it is to be found again.
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
