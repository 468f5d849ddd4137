/** Execution messages from and to bytes. All validation of a single message is here. */
import { create, toBinary, type MessageInitShape } from '@bufbuild/protobuf'
import { fromString, toString } from 'uint8arrays'

import { Fault, checkedHash, checkedInteger, checkedText, parseMessage, publicKeyOf, required } from '../wire/index.ts'
import {
  grantsMax,
  inlineBytesMax,
  inlineTotalBytesMax,
  keepersNamedMax,
  logChunkBytesMax,
  logCreditBytes,
  type Execution,
  type ExecutionBody,
  type Grant,
  type GrantKind,
  type ServiceHealth,
  type Stage,
  type StartOrder,
} from './messages.ts'
import { healthFailuresMax } from './container.ts'
import { checkedGuestPath } from './manifest.ts'
import {
  ExecutionSchema,
  Health_State,
  Log_Channel,
  Progress_Stage,
  type GrantSchema,
  type Grant as WireGrant,
  type Health,
  type Start,
} from './wire_pb.ts'

const sourcesMax = 256
const peersPerShardMax = 16
const keyBytes = 32
const kinds: readonly GrantKind[] = ['module', 'file', 'tar', 'stdin']
const stages: Record<Progress_Stage, Stage> = {
  [Progress_Stage.WAITING]: 'waiting',
  [Progress_Stage.STAGING]: 'staging',
  [Progress_Stage.RUNNING]: 'running',
  [Progress_Stage.SEALING]: 'sealing',
  [Progress_Stage.ENDED]: 'ended',
}

const stageNumbers: Record<Stage, Progress_Stage> = {
  waiting: Progress_Stage.WAITING,
  staging: Progress_Stage.STAGING,
  running: Progress_Stage.RUNNING,
  sealing: Progress_Stage.SEALING,
  ended: Progress_Stage.ENDED,
}

const healths: Record<Health_State, ServiceHealth['state']> = {
  [Health_State.STARTING]: 'starting',
  [Health_State.HEALTHY]: 'healthy',
  [Health_State.FAILING]: 'failing',
}

const healthNumbers: Record<ServiceHealth['state'], Health_State> = {
  starting: Health_State.STARTING,
  healthy: Health_State.HEALTHY,
  failing: Health_State.FAILING,
}

export function encodeExecution(message: Execution): Uint8Array {
  return toBinary(
    ExecutionSchema,
    create(ExecutionSchema, { lease: fromString(message.lease, 'hex'), body: encodeBody(message) }),
  )
}

type WireBody = NonNullable<MessageInitShape<typeof ExecutionSchema>['body']>

function encodeBody(message: ExecutionBody): WireBody {
  switch (message.say) {
    case 'start':
      return {
        case: 'start',
        value: {
          module: encodeGrant(message.order.module),
          inputs: message.order.inputs.map(encodeGrant),
          outputKey: message.order.outputKey,
          outputKeepers: [...message.order.outputKeepers],
        },
      }
    case 'started':
      return { case: 'started', value: {} }
    case 'follow':
      return {
        case: 'follow',
        value: {
          stdoutOffset: BigInt(message.stdoutOffset),
          stderrOffset: BigInt(message.stderrOffset),
          creditBytes: BigInt(message.creditBytes),
        },
      }
    case 'log':
      return {
        case: 'log',
        value: {
          channel: message.channel === 'stdout' ? Log_Channel.STDOUT : Log_Channel.STDERR,
          offset: BigInt(message.offset),
          bytes: message.bytes,
        },
      }
    case 'progress': {
      const { stage, wallMs, cpuMs, memoryBytes, gas, health } = message.progress
      return {
        case: 'progress',
        value: {
          stage: stageNumbers[stage],
          wallMs: BigInt(wallMs),
          cpuMs: BigInt(cpuMs),
          memoryBytes: BigInt(memoryBytes),
          gas: BigInt(gas),
          ...(health === undefined ? {} : { health: { ...health, state: healthNumbers[health.state] } }),
        },
      }
    }
    case 'cancel':
      return { case: 'cancel', value: {} }
    case 'result': {
      const { statement, outputs } = message.result
      return { case: 'result', value: { statement, ...(outputs === null ? {} : { outputs: encodeGrant(outputs) }) } }
    }
    case 'result-seen':
      return { case: 'resultSeen', value: {} }
    case 'unknown':
      return { case: 'unknown', value: {} }
    default:
      return message satisfies never
  }
}

/** Parses and validates. Throws a Fault. The statement inside RESULT is opened by `openResult`. */
export function decodeExecution(bytes: Uint8Array): Execution {
  const wire = parseMessage(ExecutionSchema, bytes)
  const lease = toString(checkedHash(wire.lease, 'lease'), 'hex')
  const { body } = wire
  switch (body.case) {
    case 'start':
      return { lease, say: 'start', order: decodeOrder(body.value) }
    case 'started':
      return { lease, say: 'started' }
    case 'follow':
      return {
        lease,
        say: 'follow',
        stdoutOffset: checkedInteger(body.value.stdoutOffset, 'stdout_offset'),
        stderrOffset: checkedInteger(body.value.stderrOffset, 'stderr_offset'),
        creditBytes: checkedInteger(body.value.creditBytes, 'credit_bytes', logCreditBytes),
      }
    case 'log': {
      const { channel, offset, bytes: chunk } = body.value
      if (chunk.byteLength > logChunkBytesMax) {
        throw new Fault('FRAME_TOO_LARGE', 'the log chunk is over its cap', {
          bytes: chunk.byteLength,
          logChunkBytesMax,
        })
      }
      return {
        lease,
        say: 'log',
        channel: channel === Log_Channel.STDERR ? 'stderr' : 'stdout',
        offset: checkedInteger(offset, 'offset'),
        bytes: chunk,
      }
    }
    case 'progress':
      return {
        lease,
        say: 'progress',
        progress: {
          stage: stages[body.value.stage] ?? 'running',
          wallMs: checkedInteger(body.value.wallMs, 'wall_ms'),
          cpuMs: checkedInteger(body.value.cpuMs, 'cpu_ms'),
          memoryBytes: checkedInteger(body.value.memoryBytes, 'memory_bytes'),
          gas: checkedInteger(body.value.gas, 'gas'),
          ...(body.value.health === undefined ? {} : { health: decodeHealth(body.value.health) }),
        },
      }
    case 'cancel':
      return { lease, say: 'cancel' }
    case 'result': {
      const { statement, outputs } = body.value
      return {
        lease,
        say: 'result',
        result: { statement, outputs: outputs === undefined ? null : decodeGrant(outputs, 0) },
      }
    }
    case 'resultSeen':
      return { lease, say: 'result-seen' }
    case 'unknown':
      return { lease, say: 'unknown' }
    default:
      throw new Fault('FIELD_INVALID', 'an execution message says nothing that this version knows')
  }
}

function encodeGrant(grant: Grant): MessageInitShape<typeof GrantSchema> {
  return {
    guestPath: grant.guestPath,
    kind: grant.kind,
    manifest: grant.manifest,
    key: grant.key,
    sources: grant.sources.map(({ shard, peers }) => ({ shard, peers: [...peers] })),
    inline: grant.inline,
  }
}

function decodeOrder(wire: Start): StartOrder {
  if (wire.inputs.length > grantsMax) throw tooMany('inputs', wire.inputs.length, grantsMax)
  if (wire.outputKeepers.length > keepersNamedMax)
    throw tooMany('output_keepers', wire.outputKeepers.length, keepersNamedMax)
  if (wire.outputKey.byteLength !== keyBytes)
    throw new Fault('FIELD_INVALID', 'output_key is not a key', { bytes: wire.outputKey.byteLength })
  wire.outputKeepers.forEach(publicKeyOf)
  const module = decodeGrant(required(wire.module, 'module'), keyBytes)
  const inputs = wire.inputs.map((input) => decodeGrant(input, keyBytes))
  const inlineBytes = [module, ...inputs].reduce((sum, grant) => sum + grant.inline.byteLength, 0)
  if (inlineBytes > inlineTotalBytesMax) {
    throw new Fault('FRAME_TOO_LARGE', 'the inline inputs are over their cap together', {
      inlineBytes,
      inlineTotalBytesMax,
    })
  }
  return { module, inputs, outputKey: wire.outputKey, outputKeepers: wire.outputKeepers }
}

/** `keyBytesWanted`: a grant to a provider carries the key, the grant that comes back does not. Inline grants have none. */

function decodeHealth({ state, failures, failuresMax }: Health): ServiceHealth {
  if (failuresMax < 1 || failuresMax > healthFailuresMax || failures > failuresMax)
    throw new Fault('FIELD_INVALID', 'the health of a service is none', { failures, failuresMax })
  // A newer state is one of which we know nothing good.
  return { state: healths[state] ?? 'starting', failures, failuresMax }
}

function decodeGrant(wire: WireGrant, keyBytesWanted: number): Grant {
  const kind = kinds.find((word) => word === wire.kind)
  if (kind === undefined)
    throw new Fault('FIELD_INVALID', 'a grant is of no known kind', { kind: wire.kind.slice(0, 32) })
  if (wire.sources.length > sourcesMax) throw tooMany('sources', wire.sources.length, sourcesMax)
  if (wire.inline.byteLength > inlineBytesMax) {
    throw new Fault('FRAME_TOO_LARGE', 'an inline input is over its cap', {
      bytes: wire.inline.byteLength,
      inlineBytesMax,
    })
  }
  const isInline = wire.manifest.byteLength === 0
  const wanted = isInline ? 0 : keyBytesWanted
  if (wire.key.byteLength !== wanted)
    throw new Fault('FIELD_INVALID', 'the key of a grant has the wrong size', { bytes: wire.key.byteLength, wanted })
  if (!isInline && wire.inline.byteLength > 0) throw new Fault('FIELD_INVALID', 'a grant is both inline and an object')
  if (kind === 'file' || kind === 'tar') checkedGuestPath(wire.guestPath)
  else checkedText(wire.guestPath, 'guest_path', 0)
  return {
    guestPath: wire.guestPath,
    kind,
    manifest: wire.manifest,
    key: wire.key,
    inline: wire.inline,
    sources: wire.sources.map(({ shard, peers }) => {
      if (peers.length > peersPerShardMax) throw tooMany('peers of a shard', peers.length, peersPerShardMax)
      peers.forEach(publicKeyOf)
      return { shard: checkedInteger(shard, 'shard', 255), peers }
    }),
  }
}

function tooMany(field: string, count: number, max: number): Fault {
  return new Fault('FIELD_INVALID', `too many ${field}`, { count, max })
}
