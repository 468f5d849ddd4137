/**
 * The port through which a peer runs one untrusted program: what to run, how much it may use, what became of it.
 *
 * Nothing here knows of WASI or of child processes, so that another engine (containers, say) can stand behind it.
 */

/** What is run. Host paths are read and written by the executor alone; the program sees only the guest's. */
export interface ExecutionTask {
  /** The program: a WebAssembly binary for the WASI executor, the archive of an image for that of containers. */
  readonly modulePath: string
  /** What the program sees as argv[0]; the file name of `modulePath` if absent. */
  readonly name?: string
  /** argv from 1 on. */
  readonly args: readonly string[]
  /** The whole environment; nothing of the peer's own is added. */
  readonly env: Readonly<Record<string, string>>
  /** A file that is the program's standard input; empty if absent. */
  readonly stdinPath?: string
  readonly inputs: readonly ExecutionInput[]
  /**
   * The deterministic profile: time and chance are made from this text, and NaNs are canonical, so that the program does the
   * same on every machine. Absent: they are the machine's.
   */
  readonly seed?: string
  /** Where the tar of /out is put. Must not exist; exists afterwards only if the result says so. */
  readonly outputsTarPath: string
  /** What only containers need; there for them alone. */
  readonly container?: ContainerTask
  /** Where the run can be found again by a peer that was restarted. Without it, it ends with its peer. */
  readonly keep?: KeptRun
}

/** A run that outlives its peer. */
export interface KeptRun {
  /** The executor's own, one for each run. Must not exist; whoever gave it removes it when the run is of no interest any more. */
  readonly folder: string
  /** How long it goes on without its peer, a whole number of at least 1. */
  readonly aloneMs: number
}

export interface ContainerTask {
  /** Names the task in the engine, so that it is found again: letters and digits, another for each run. */
  readonly id: string
  readonly image: ContainerImage
  /** Null: the image's own. `args` come after it, in the place of the image's own if there are any. */
  readonly entrypoint: readonly string[] | null
  /** Whether it is to reach the network. */
  readonly egress: boolean
  readonly gpus: number
  /** Null: it is a job, and ends by itself. */
  readonly service: ServiceTask | null
}

/** A program that others connect to, until its time is over. */
export interface ServiceTask {
  /** Null: as long as it runs it is well. */
  readonly health: HealthCheck | null
}

export interface HealthCheck {
  readonly port: number
  /** What is asked for by HTTP, which must answer below 400; null: to be connected to is enough. */
  readonly path: string | null
  readonly intervalMs: number
  /** So many in a row, and the service is ended. */
  readonly failuresMax: number
}

/** Both directions of one TCP connection to a port of a running program. */
export interface PortConnection {
  /** What the program sends; ends when it has closed its side. */
  readonly received: AsyncIterable<Uint8Array>
  /** Resolves when more may be sent (back-pressure). */
  send(bytes: Uint8Array): Promise<void>
  /** No more will be sent; what the program sends goes on. */
  end(): void
  close(): void
}

/** An OCI archive, or an image in a registry. `digest`: what the engine must call it, `sha256:…`; null: it is not asked. */
export type ContainerImage =
  | { readonly archivePath: string; readonly sha256: string; readonly digest: string | null }
  | { readonly archivePath: null; readonly reference: string; readonly digest: string | null }

/** One input, read-only for the program. A `tar` is seen as the folder that it holds. */
export interface ExecutionInput {
  readonly kind: 'file' | 'tar'
  /** Absolute, and under neither /out nor /tmp: `/in/scene.blend`. */
  readonly guestPath: string
  readonly hostPath: string
}

/** All whole numbers, all at least 1. */
export interface ExecutionLimits {
  /** From the start of the process to its end, so staging and the writing of outputs count. */
  readonly wallMs: number
  /** Thousandths of a processor, on the average: what has used up its share is held until it has some again. */
  readonly cpuMilli: number
  /** Linear memory and the files that the program has made, together. The runtime's own share is not in it. */
  readonly memoryBytes: number
  /** Content of the files under /out, all together. */
  readonly outputBytes: number
  /** stdout and stderr together. */
  readonly logBytes: number
  /** Instructions, by the table in wasm/costs.ts; what the host does for the program is counted with them. */
  readonly gas: number
}

/** Called while the program runs. */
export interface ExecutionWatch {
  /** In order within each stream. Nothing more of that stream is read until the promise resolves (back-pressure). */
  onLog(stream: LogStream, bytes: Uint8Array): void | Promise<void>
  /** About once in `usageIntervalMs`, where the system tells. */
  onUsage?(usage: ExecutionUsage): void
  /** Of a service with a health check: when it runs, and after each check. */
  onHealth?(health: ServiceHealth): void
}

export interface ServiceHealth {
  /** `starting`: it was not well yet. */
  readonly state: 'starting' | 'healthy' | 'failing'
  /** In a row. */
  readonly failures: number
  readonly failuresMax: number
}

export type LogStream = 'stdout' | 'stderr'

/**
 * - `exited`: the program ended itself; `exitCode` says how.
 * - `trapped`: it did what WebAssembly forbids, or aborted.
 * - `wall-limit`, `memory-limit`, `output-limit`, `log-limit`, `gas-limit`: it was ended for using more than was allowed.
 * - `cancelled`: the caller's signal fired.
 * - `module-invalid`: the task cannot be run as given, here or anywhere: not a program, or an input that cannot be read.
 * - `executor-failed`: our own trouble; the same task may well succeed elsewhere.
 */
export type ExecutionReason =
  | 'exited'
  | 'trapped'
  | 'wall-limit'
  | 'memory-limit'
  | 'output-limit'
  | 'log-limit'
  | 'gas-limit'
  | 'cancelled'
  | 'module-invalid'
  | 'executor-failed'

export const executionReasons: readonly ExecutionReason[] = [
  'exited',
  'trapped',
  'wall-limit',
  'memory-limit',
  'output-limit',
  'log-limit',
  'gas-limit',
  'cancelled',
  'module-invalid',
  'executor-failed',
]

/** All whole numbers. */
export interface ExecutionUsage {
  readonly wallMs: number
  readonly cpuMs: number
  /** The same on every machine. Of a program that was killed, what it had used when it last called the host. */
  readonly gas: number
  /** Linear memory plus files at their most; for a program that was killed, the resident set of its process. */
  readonly memoryBytesPeak: number
  readonly outputBytes: number
  /** As delivered to the watch. */
  readonly stdoutBytes: number
  readonly stderrBytes: number
}

export interface ExecutionResult {
  readonly reason: ExecutionReason
  /** Only when the reason is `exited`; 0 to 2^32 - 1. */
  readonly exitCode: number | null
  /** One sentence for a person; empty when there is nothing to add. */
  readonly detail: string
  readonly usage: ExecutionUsage
  /** Only when the reason is `exited` and the program left something under /out. */
  readonly outputs: ExecutionOutputs | null
  /** What the engine calls the image that was run, `sha256:…`; only of containers, and only when it came to that. */
  readonly imageDigest?: string
}

export interface ExecutionOutputs {
  /** A tar file: the same outputs give the same bytes. */
  readonly path: string
  readonly files: number
  /** Content of the files, without the tar's own overhead. */
  readonly bytes: number
}

export interface ExecutorProbe {
  readonly usable: boolean
  /** For example `wasi-preview1`. */
  readonly engine: string
  /** What runs it: `podman 5.4`; left out: this Node. */
  readonly version?: string
  /** What isolates the program from the machine, in one word that a bid may ask for. */
  readonly isolation: string
  /** Why it is not usable; otherwise what isolates it, as a sentence for the owner. */
  readonly detail: string
  /** How long the least program took, start to end; null when not usable. */
  readonly startMs: number | null
}

export interface Executor {
  /** Runs the least program that there is, to see whether this machine can. */
  probe(): Promise<ExecutorProbe>
  /** Never rejects for what the program or the machine does; that is in the result. */
  run(
    task: ExecutionTask,
    limits: ExecutionLimits,
    watch: ExecutionWatch,
    signal: AbortSignal,
  ): Promise<ExecutionResult>
  /**
   * Goes on with a run that an earlier peer started with the same task, running or ended meanwhile, as if it had been this
   * one: the watch is told the whole log from its beginning. Null when nothing was ever started in `task.keep.folder`.
   */
  attach(
    task: ExecutionTask & { readonly keep: KeptRun },
    limits: ExecutionLimits,
    watch: ExecutionWatch,
    signal: AbortSignal,
  ): Promise<ExecutionResult | null>
  /** Ends what may still run in the folder of a kept run. Resolves when it is gone, or was given up. */
  end(folder: string): Promise<void>
  /** Holds what runs in the folder of a kept run, and lets it go on. Its time goes on meanwhile. */
  suspend(folder: string): void
  resume(folder: string): void
  /** Connects to a port of a service that runs, by the `id` of its task. Rejects when nobody listens there. Only of containers. */
  connect?(id: string, port: number, signal: AbortSignal): Promise<PortConnection>
}
