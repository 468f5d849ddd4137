/** The documents that have a name of their own, and every message of an execution. */
import * as dagCbor from '@ipld/dag-cbor'
import { create, toBinary } from '@bufbuild/protobuf'
import { fromString } from 'uint8arrays'

import {
  encodeExecution,
  encodeJobManifest,
  resultBytesMax,
  resultType,
  sealResult,
  type ExecutionBody,
  type Grant,
  type JobManifest,
  type ResultDocument,
} from '../../../protocols/execute/index.ts'
import { ExecutionSchema } from '../../../protocols/execute/wire_pb.ts'
import { decodeObjectManifest, type ObjectManifest } from '../../../protocols/erasure/index.ts'
import { sealEnvelope } from '../../../protocols/wire/index.ts'
import { manifestOf } from '../../negotiate/parties.ts'
import { bad, good, type VectorFile } from './cases.ts'
import { asker, network, stranger, worker } from './kinds.ts'
import { document, lease, leaseHash, manifest, object, result } from './lease.ts'

const plain = manifestOf('vectors')
const rich: JobManifest = {
  ...plain,
  name: 'every key used: ü',
  module: { bytes: 100_000, sha256: 'ab'.repeat(32), object: object.cid },
  args: ['', 'ümlaut', 'a b'],
  env: { B: '2', A: '1', LONGER_NAME: '' },
  inputs: [
    { bytes: 0, sha256: 'cd'.repeat(32), object: null, path: '/in/a/b.txt', kind: 'file' },
    { bytes: 2 ** 40, sha256: 'ef'.repeat(32), object: object.cid, path: '/in/tree', kind: 'tar' },
  ],
  stdin: { bytes: 3, sha256: '01'.repeat(32), object: null },
  resources: { ...plain.resources, memoryBytes: 2 ** 32, wallMs: 2 ** 53 - 1, gas: 2 ** 53 - 1 },
  deterministic: true,
}
const digest = `sha256:${'ab'.repeat(32)}`
const contained: JobManifest = {
  ...plain,
  engine: 'oci',
  container: { image: null, digest, entrypoint: ['/bin/sh', '-c'], egress: true, gpus: 2, service: null },
}
const fromRegistry: JobManifest = {
  ...contained,
  module: null,
  container: {
    image: `registry.example:5000/a/b@${digest}`,
    digest: null,
    entrypoint: null,
    egress: false,
    gpus: 0,
    service: { ports: [80, 65_535], health: { port: 80, path: '/ready?x', intervalMs: 1_000, failuresMax: 3 } },
  },
}
const wrongJob = (name: string, over: object) =>
  bad('job-manifest', name, 'FIELD_INVALID', dagCbor.encode({ ...plain, ...over }))

const jobManifest: VectorFile = {
  what: 'Job manifests (protocols/execute/README.md): DAG-CBOR. The CID is the name of the job.',
  cases: [
    good('job-manifest', 'the job of the lease', manifest),
    good('job-manifest', 'every key used', encodeJobManifest(rich).bytes),
    good('job-manifest', 'a container, its image an archive', encodeJobManifest(contained).bytes),
    good('job-manifest', 'a container, its image in a registry', encodeJobManifest(fromRegistry).bytes),
    wrongJob('a container of another engine', { container: contained.container }),
    wrongJob('no container of the engine oci', { engine: 'oci' }),
    wrongJob('neither an archive nor an image in a registry', { ...contained, module: null }),
    wrongJob('both an archive and an image in a registry', { ...fromRegistry, module: plain.module }),
    wrongJob('a limit of gas for a container', { ...contained, resources: { ...plain.resources, gas: 1 } }),
    wrongJob('a container of the deterministic profile', { ...contained, deterministic: true }),
    wrongJob('a service without ports', {
      ...contained,
      container: { ...contained.container, service: { ports: [], health: null } },
    }),
    wrongJob('a service on port 0', {
      ...contained,
      container: { ...contained.container, service: { ports: [0], health: null } },
    }),
    wrongJob('an image by its tag', {
      ...fromRegistry,
      container: { ...fromRegistry.container, image: 'docker.io/library/alpine:latest' },
    }),
    wrongJob('an unknown key', { colour: 'green' }),
    wrongJob('an input outside /in', { inputs: [{ ...plain.inputs[0]!, path: '/etc/passwd' }] }),
    wrongJob('a path that climbs', { inputs: [{ ...plain.inputs[0]!, path: '/in/../out' }] }),
    wrongJob('a hash in capitals', { module: { ...plain.module, sha256: 'AB'.repeat(32) } }),
    wrongJob('no processor', { resources: { ...plain.resources, cpuMilli: 0 } }),
    wrongJob('no gas', { resources: { ...plain.resources, gas: 0 } }),
    wrongJob('a profile that is neither', { deterministic: 'yes' }),
    wrongJob('an argument with a zero byte', { args: ['a\0b'] }),
    wrongJob('another engine', { engine: 'docker' }),
    bad('job-manifest', 'not DAG-CBOR', 'FRAME_MALFORMED', fromString('{}}')),
  ],
}

const objectDocument = decodeObjectManifest(object.bytes)
const wrongObject = (name: string, over: Partial<Record<keyof ObjectManifest, unknown>>) =>
  bad('object-manifest', name, 'FIELD_INVALID', dagCbor.encode({ ...objectDocument, ...over }))
/** The same map with its first two entries exchanged: CBOR, and not the one spelling of it. */
const otherOrder = (() => {
  const bytes = object.bytes
  // a9, then "v" 01 as the first entry, "bytes" or "code" next; the entry of "v" is three bytes long.
  const next = dagCbor.encode('code').byteLength + dagCbor.encode(objectDocument.code).byteLength
  return Uint8Array.from([bytes[0]!, ...bytes.slice(4, 4 + next), ...bytes.slice(1, 4), ...bytes.slice(4 + next)])
})()

const objectManifest: VectorFile = {
  what: 'Object manifests (protocols/erasure/README.md). Whole sealed objects are in sealed-objects.json.',
  cases: [
    good('object-manifest', '100,000 bytes in 2+1', object.bytes),
    wrongObject('a shard too few', { shards: objectDocument.shards.slice(1) }),
    wrongObject('shards of another length than follows', { shardBytes: objectDocument.shardBytes + 1 }),
    wrongObject('another leaf', { leafBytes: 32_768 }),
    wrongObject('more shards than the field has rows', { code: { matrix: 'cauchy', k: 200, m: 100 } }),
    wrongObject('a root cut short', { shards: objectDocument.shards.map((root) => root.slice(1)) }),
    bad('object-manifest', 'another spelling', 'FRAME_MALFORMED', otherOrder),
    bad('object-manifest', 'a byte more', 'FRAME_MALFORMED', Uint8Array.from([...object.bytes, 0])),
    bad('object-manifest', 'over its cap', 'FRAME_TOO_LARGE', new Uint8Array(16 * 1024 + 1)),
  ],
}

const seals = (over: Partial<ResultDocument>, by = worker) => sealResult(by, { ...document, ...over }).envelope
const payload = (bytes: Uint8Array) => sealEnvelope(worker.signer, network, resultType, bytes)

const resultFile: VectorFile = {
  what: 'Results (protocols/execute/README.md): an envelope of type result 1 whose payload is a DAG-CBOR document with a CID.',
  cases: [
    good('result', 'the result of the lease', result.envelope),
    good(
      'result',
      'a program that did not come to exit',
      seals({
        reason: 'wall-limit',
        exitCode: null,
        outputs: null,
        outputBytes: 0,
        outputFiles: 0,
        outputsSha256: null,
      }),
    ),
    good('result', 'a program that used up its gas', seals({ reason: 'gas-limit', exitCode: null })),
    good(
      'result',
      'of a container',
      seals({ image: { digest, archive: { sha256: 'cd'.repeat(32), object: object.cid } } }),
    ),
    good('result', 'of an image in a registry', seals({ image: { digest, archive: null } })),
    good('result', 'an exit code of 32 bits', seals({ exitCode: 2 ** 32 - 1 })),
    good('result', 'by a stranger: that it is not the provider is for the lease to say', seals({}, stranger)),
    bad('result', 'an unknown key', 'FIELD_INVALID', payload(dagCbor.encode({ ...document, mood: 'good' }))),
    bad('result', 'no such ending', 'FIELD_INVALID', payload(dagCbor.encode({ ...document, reason: 'bored' }))),
    bad(
      'result',
      'outputs that are no CID',
      'FIELD_INVALID',
      payload(dagCbor.encode({ ...document, outputs: 'elsewhere' })),
    ),
    bad(
      'result',
      'outputs whose hash is none',
      'FIELD_INVALID',
      payload(dagCbor.encode({ ...document, outputsSha256: 'AB' })),
    ),
    bad('result', 'not DAG-CBOR', 'FRAME_MALFORMED', payload(fromString('{}}'))),
    bad('result', 'over its cap', 'FRAME_TOO_LARGE', new Uint8Array(resultBytesMax + 1)),
  ],
}

const inline: Grant = {
  guestPath: '',
  kind: 'module',
  manifest: new Uint8Array(),
  key: new Uint8Array(),
  sources: [],
  inline: fromString('wasm'),
}
const fetched: Grant = {
  guestPath: '/in/tree',
  kind: 'tar',
  manifest: object.bytes,
  key: new Uint8Array(32).fill(5),
  sources: [
    { shard: 0, peers: [worker.signer.peer, stranger.signer.peer] },
    { shard: 255, peers: [] },
  ],
  inline: new Uint8Array(),
}
const order = {
  module: inline,
  inputs: [fetched, { ...inline, kind: 'stdin' as const, inline: new Uint8Array() }],
  outputKey: new Uint8Array(32).fill(6),
  outputKeepers: [asker.signer.peer],
}
const frame = (body: ExecutionBody): Uint8Array => encodeExecution({ lease, ...body })
const says = (name: string, body: ExecutionBody) => good('execution', name, frame(body))
const wrong = (name: string, body: ExecutionBody, fault = 'FIELD_INVALID') => bad('execution', name, fault, frame(body))
const starts = (name: string, over: Partial<Grant>) =>
  wrong(name, { say: 'start', order: { ...order, inputs: [{ ...fetched, ...over }] } })

const execution: VectorFile = {
  what: 'Frames of /pleach/execute/1.',
  cases: [
    says('START', { say: 'start', order }),
    says('STARTED', { say: 'started' }),
    says('FOLLOW', { say: 'follow', stdoutOffset: 70_000, stderrOffset: 0, creditBytes: 262_144 }),
    says('LOG', { say: 'log', channel: 'stderr', offset: 12, bytes: fromString('warning\n') }),
    says('LOG from the beginning', { say: 'log', channel: 'stdout', offset: 0, bytes: fromString('42\n') }),
    ...(['waiting', 'staging', 'running', 'sealing', 'ended'] as const).map((stage, index) =>
      says(`PROGRESS, ${stage}`, {
        say: 'progress',
        progress: {
          stage,
          wallMs: index * 1_000,
          cpuMs: index * 900,
          memoryBytes: index * 65_536,
          gas: index * 2 ** 40,
        },
      }),
    ),
    ...(['starting', 'healthy', 'failing'] as const).map((state, failures) =>
      says(`PROGRESS of a service that is ${state}`, {
        say: 'progress',
        progress: {
          stage: 'running',
          wallMs: 9_000,
          cpuMs: 7,
          memoryBytes: 65_536,
          gas: 0,
          health: { state, failures, failuresMax: 3 },
        },
      }),
    ),
    says('CANCEL', { say: 'cancel' }),
    says('RESULT with outputs', {
      say: 'result',
      result: { statement: result.envelope, outputs: { ...fetched, key: new Uint8Array() } },
    }),
    says('RESULT without', { say: 'result', result: { statement: seals({ outputs: null }), outputs: null } }),
    says('RESULT_SEEN', { say: 'result-seen' }),
    says('UNKNOWN', { say: 'unknown' }),
    starts('a key cut short', { key: new Uint8Array(31) }),
    starts('both inline and an object', { inline: Uint8Array.of(1) }),
    starts('inline with a key', { manifest: new Uint8Array(), inline: Uint8Array.of(1) }),
    starts('a path outside /in', { guestPath: '/out/x' }),
    starts('a shard that cannot be', { sources: [{ shard: 256, peers: [] }] }),
    starts('a keeper that is no peer', { sources: [{ shard: 0, peers: ['somebody'] }] }),
    starts('more keepers of a shard than are named', {
      sources: [{ shard: 0, peers: Array.from({ length: 17 }, () => worker.signer.peer) }],
    }),
    wrong('a key for the outputs that is none', { say: 'start', order: { ...order, outputKey: new Uint8Array(16) } }),
    wrong('a credit over the cap', { say: 'follow', stdoutOffset: 0, stderrOffset: 0, creditBytes: 262_145 }),
    wrong('outputs with a key', { say: 'result', result: { statement: result.envelope, outputs: fetched } }),
    bad(
      'execution',
      'a grant of no known kind',
      'FIELD_INVALID',
      toBinary(
        ExecutionSchema,
        create(ExecutionSchema, {
          lease: leaseHash,
          body: { case: 'start', value: { module: { kind: 'disk' }, outputKey: order.outputKey } },
        }),
      ),
    ),
    bad(
      'execution',
      'a lease that is no hash',
      'FIELD_INVALID',
      toBinary(
        ExecutionSchema,
        create(ExecutionSchema, { lease: leaseHash.slice(1), body: { case: 'cancel', value: {} } }),
      ),
    ),
    bad(
      'execution',
      'nothing said',
      'FIELD_INVALID',
      toBinary(ExecutionSchema, create(ExecutionSchema, { lease: leaseHash })),
    ),
    bad('execution', 'not of this form', 'FRAME_MALFORMED', Uint8Array.of(0x0a, 0xff)),
  ],
}

export const executeVectors = {
  'job-manifest': jobManifest,
  'object-manifest': objectManifest,
  result: resultFile,
  execution,
}
