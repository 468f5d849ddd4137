/** The result document: what came of a lease (protocols/execute/README.md). */
import { readDocument, type Value } from './cbor.ts'
import { need } from './problem.ts'
import { checkedCid, cidOfDocument, openStatement } from './statement.ts'

export interface Result {
  readonly by: string
  readonly cid: string
  readonly lease: string
  readonly job: string
  readonly slot: number
  readonly epoch: number
  readonly reason: string
  readonly exitCode: number | null
}

const resultBytesMax = 16 * 1024
const detailCharsMax = 1_000
const exitCodeMax = 2 ** 32 - 1
const endReasons = [
  'exited',
  'trapped',
  'wall-limit',
  'memory-limit',
  'output-limit',
  'log-limit',
  'gas-limit',
  'cancelled',
  'module-invalid',
  'inputs-missing',
  'provider-failed',
]

type Check = (value: Value) => boolean

const whole: Check = (value) => typeof value === 'number' && value >= 0
const text: Check = (value) => typeof value === 'string'
const textOfLength =
  (length: number): Check =>
  (value) =>
    typeof value === 'string' && value.length === length
const matching =
  (pattern: RegExp): Check =>
  (value) =>
    typeof value === 'string' && pattern.test(value)
const orNull =
  (check: Check): Check =>
  (value) =>
    value === null || check(value)
const exactly =
  (wanted: Value): Check =>
  (value) =>
    value === wanted
/** These keys and no others. */
const map =
  (checks: Readonly<Record<string, Check>>): Check =>
  (value) =>
    value instanceof Map &&
    value.size === Object.keys(checks).length &&
    Object.entries(checks).every(([key, check]) => value.has(key) && check((value as Map<string, Value>).get(key)!))

const hexHash = matching(/^[0-9a-f]{64}$/)
const log = map({ bytes: whole, sha256: textOfLength(64) })
const isResult = map({
  v: exactly(1),
  kind: exactly('result'),
  job: text,
  lease: textOfLength(64),
  slot: whole,
  epoch: whole,
  reason: (value) => typeof value === 'string' && endReasons.includes(value),
  exitCode: orNull((value) => whole(value) && (value as number) <= exitCodeMax),
  detail: (value) => typeof value === 'string' && value.length <= detailCharsMax,
  stdout: log,
  stderr: log,
  outputs: orNull(text),
  outputBytes: whole,
  outputFiles: whole,
  outputsSha256: orNull(hexHash),
  image: orNull(
    map({
      digest: matching(/^sha256:[0-9a-f]{64}$/),
      archive: orNull(map({ sha256: hexHash, object: orNull(text) })),
    }),
  ),
  usage: map({ wallMs: whole, cpuMs: whole, memoryBytesPeak: whole, gas: whole, inBytes: whole, outBytes: whole }),
})

/** Throws a Problem. */
export async function openResult(network: string, bytes: Uint8Array): Promise<Result> {
  need(bytes.byteLength <= resultBytesMax, 'FRAME_TOO_LARGE', 'the result is over its cap')
  const { by, body } = await openStatement(network, 'result/1', bytes)
  const document = readDocument(body)
  need(isResult(document), 'FIELD_INVALID', 'the result is no result document')
  const said = document as ReadonlyMap<string, string | number | null>
  const job = checkedCid(said.get('job') as string, 'job')
  const outputs = said.get('outputs') as string | null
  if (outputs !== null) checkedCid(outputs, 'outputs')
  return {
    by,
    cid: await cidOfDocument(body),
    lease: said.get('lease') as string,
    job,
    slot: said.get('slot') as number,
    epoch: said.get('epoch') as number,
    reason: said.get('reason') as string,
    exitCode: said.get('exitCode') as number | null,
  }
}
