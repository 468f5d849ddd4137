/** What became of a program, as its provider will say it. */
import type { EndReason, Exit, JobManifest } from '../../protocols/execute/index.ts'
import type { ExecutionResult } from '../execution/executor.ts'
import { inBytesOf } from './asking.ts'
import { hashFile } from './hash-file.ts'
import type { TaskLog } from './task-log.ts'

/** What was made is hashed by us, whatever has run. Cancelled meanwhile, it is as if nothing had been made. */
export async function finished(result: ExecutionResult, log: TaskLog, manifest: JobManifest, signal: AbortSignal) {
  const exit = exitOf(result, log, manifest)
  if (result.outputs === null) return { exit, hasOutputs: false }
  try {
    const { sha256 } = await hashFile(result.outputs.path, signal)
    return { exit: { ...exit, outputsSha256: sha256 }, hasOutputs: true }
  } catch (error) {
    if (!signal.aborted) throw error
    return { exit: { ...exit, reason: 'cancelled' as const, exitCode: null, detail: 'cancelled' }, hasOutputs: false }
  }
}

function exitOf(
  { reason, exitCode, detail, usage, outputs, imageDigest }: ExecutionResult,
  log: TaskLog,
  manifest: JobManifest,
): Exit {
  const { module } = manifest
  const archive = module === null ? null : { sha256: module.sha256, object: module.object }
  const ending: EndReason = reason === 'executor-failed' ? 'provider-failed' : reason
  return {
    reason: ending,
    exitCode,
    detail,
    stdout: log.summary('stdout'),
    stderr: log.summary('stderr'),
    outputBytes: outputs?.bytes ?? 0,
    outputFiles: outputs?.files ?? 0,
    outputsSha256: null,
    image: imageDigest === undefined ? null : { digest: imageDigest, archive },
    usage: {
      wallMs: usage.wallMs,
      cpuMs: usage.cpuMs,
      memoryBytesPeak: usage.memoryBytesPeak,
      gas: usage.gas,
      inBytes: inBytesOf(manifest),
      outBytes: usage.outputBytes,
    },
  }
}
