/** The routes of the control interface: for each, what it takes and which call of the peer answers it. */
import { z } from 'zod'

import { jobSpecSchema, offerWishSchema } from '../config/job-spec.ts'
import { ControlError, type PeerControl } from './api.ts'
import { checked } from './checked.ts'
import { moneyRoutes } from './money-routes.ts'

/** What a route is given of the request. */
export interface RouteRequest {
  /** The `:id` of the path; empty when the path has none. Ids and prefixes of ids need no escapes in a path. */
  readonly id: string
  readonly query: URLSearchParams
  /** Reads and parses the body. */
  readonly body: () => Promise<unknown>
  /** Fires when the client is gone or the server closes. */
  readonly signal: AbortSignal
}

/** What the server itself knows, beside the peer. */
export interface Household {
  readonly control: PeerControl
  readonly isReady: () => boolean
  /** Asks for the peer to be stopped; the answer is sent first. */
  readonly stop: () => void
}

export type Answer = { readonly json: unknown } | { readonly lines: AsyncIterable<unknown> }

export interface Route {
  readonly method: 'GET' | 'POST'
  /** `:id` stands for one component. */
  readonly path: string
  answer(house: Household, request: RouteRequest): Promise<Answer>
}

const putSchema = z.strictObject({
  path: z.string().min(1),
  code: z.string().exactOptional(),
  name: z.string().exactOptional(),
  convergent: z.boolean().exactOptional(),
  transfer: z.string().min(1).max(64).exactOptional(),
})
const objectSchema = z.strictObject({ object: z.string().min(1).max(512) })
const repairSchema = objectSchema.extend({ transfer: z.string().min(1).max(64).exactOptional() })
const importSchema = z.strictObject({ read: z.string().min(1).max(512), name: z.string().exactOptional() })
const getSchema = z
  .strictObject({
    object: z.string().min(1).exactOptional(),
    read: z.string().min(1).exactOptional(),
    path: z.string().min(1),
    unpack: z.boolean().exactOptional(),
    transfer: z.string().min(1).max(64).exactOptional(),
  })
  .refine(({ object, read }) => (object === undefined) !== (read === undefined), 'needs object or read, and not both')
const exportCarSchema = z.strictObject({
  object: z.string().min(1).max(512),
  path: z.string().min(1),
  transfer: z.string().min(1).max(64).exactOptional(),
})
const importCarSchema = z.strictObject({
  path: z.string().min(1),
  read: z.string().min(1).max(512).exactOptional(),
  name: z.string().exactOptional(),
  transfer: z.string().min(1).max(64).exactOptional(),
})
const portNumber = z.coerce.number().pipe(z.int().min(0).max(65_535))
const forwardSchema = z.strictObject({ port: portNumber.pipe(z.int().min(1)), local: portNumber.exactOptional() })
const offersSchema = z.strictObject({ find: z.boolean().exactOptional(), wish: offerWishSchema.exactOptional() })
/** As long as a clock can tell. */
const pauseMsMax = 366 * 86_400_000
const pauseSchema = z.strictObject({
  forMs: z.int().min(1).max(pauseMsMax).exactOptional(),
  now: z.boolean().exactOptional(),
})
const rerunSchema = z.strictObject({ out: z.string().min(1).max(4096).exactOptional() })
const backupSchema = z.strictObject({
  path: z.string().min(1).max(4096),
  config: z.string().max(65_536).exactOptional(),
})
const receiptName = z.string().min(1).max(128).exactOptional()
const receiptsSchema = z.strictObject({
  lease: receiptName,
  job: receiptName,
  peer: receiptName,
  since: z.coerce.number().pipe(z.int().min(0)).exactOptional(),
})
const joinSchema = z.strictObject({ address: z.string().min(1).max(1024) })

const health: Route['answer'] = async () => ({ json: { v: 1, ok: true } })
const readiness: Route['answer'] = async ({ isReady }) => {
  if (isReady()) return { json: { v: 1, ok: true } }
  throw new ControlError({
    code: 'NOT_READY',
    what: 'the peer is starting',
    why: 'it has not joined its network yet',
    cure: 'pleach status',
    exit: 5,
  })
}

export const routes: readonly Route[] = [
  // For those that watch services, at the places where they look.
  { method: 'GET', path: '/healthz', answer: health },
  { method: 'GET', path: '/readyz', answer: readiness },
  { method: 'GET', path: '/v1/healthz', answer: health },
  { method: 'GET', path: '/v1/readyz', answer: readiness },

  { method: 'GET', path: '/v1/status', answer: async ({ control }) => ({ json: await control.status() }) },
  {
    method: 'POST',
    path: '/v1/pause',
    answer: async ({ control }, { body }) => ({ json: await control.pause(checked(pauseSchema, await body())) }),
  },
  { method: 'POST', path: '/v1/resume', answer: async ({ control }) => ({ json: await control.resume() }) },
  { method: 'GET', path: '/v1/peers', answer: async ({ control }) => ({ json: await control.peers() }) },
  {
    method: 'GET',
    path: '/v1/peers/:id',
    answer: async ({ control }, { id, signal }) => ({ json: await control.peer(id, signal) }),
  },
  {
    method: 'GET',
    path: '/v1/offers',
    answer: async ({ control }, { query, signal }) => ({
      json: { v: 1, offers: await control.offers(query.get('find') === '1', signal) },
    }),
  },
  {
    method: 'POST',
    path: '/v1/offers',
    answer: async ({ control }, { body, signal }) => {
      const { find = false, wish = {} } = checked(offersSchema, await body())
      return { json: await control.findOffers(wish, find, signal) }
    },
  },
  {
    method: 'POST',
    path: '/v1/jobs',
    answer: async ({ control }, { body, signal }) => ({
      json: await control.submit(checked(jobSpecSchema, await body()), signal),
    }),
  },
  {
    method: 'POST',
    path: '/v1/estimate',
    answer: async ({ control }, { body, signal }) => ({
      json: await control.estimate(checked(jobSpecSchema, await body()), signal),
    }),
  },
  { method: 'GET', path: '/v1/jobs', answer: async ({ control }) => ({ json: { v: 1, jobs: await control.jobs() } }) },
  { method: 'GET', path: '/v1/jobs/:id', answer: async ({ control }, { id }) => ({ json: await control.job(id) }) },
  {
    method: 'GET',
    path: '/v1/jobs/:id/events',
    answer: async ({ control }, { id, query, signal }) => ({
      lines: control.jobEvents(id, { logs: query.get('logs') === '1', follow: query.get('follow') === '1' }, signal),
    }),
  },
  {
    method: 'GET',
    path: '/v1/jobs/:id/forward',
    answer: async ({ control }, { id, query, signal }) => {
      const { port, local = 0 } = checked(forwardSchema, Object.fromEntries(query))
      return { lines: control.forward(id, { port, local }, signal) }
    },
  },
  {
    method: 'GET',
    path: '/v1/jobs/:id/explanation',
    answer: async ({ control }, { id, signal }) => ({ json: await control.explainJob(id, signal) }),
  },
  {
    method: 'POST',
    path: '/v1/jobs/:id/cancel',
    answer: async ({ control }, { id }) => ({ json: await control.cancel(id) }),
  },
  {
    method: 'POST',
    path: '/v1/jobs/:id/rerun',
    answer: async ({ control }, { id, body, signal }) => ({
      json: await control.rerun(id, checked(rerunSchema, await body()), signal),
    }),
  },
  {
    method: 'POST',
    path: '/v1/put',
    answer: async ({ control }, { body, signal }) => ({
      json: await control.put(checked(putSchema, await body()), signal),
    }),
  },
  {
    method: 'POST',
    path: '/v1/get',
    answer: async ({ control }, { body, signal }) => {
      const { object, read, ...input } = checked(getSchema, await body())
      return { json: await control.get({ ...input, object: object ?? read ?? '' }, signal) }
    },
  },
  {
    method: 'GET',
    path: '/v1/objects',
    answer: async ({ control }) => ({ json: { v: 1, objects: await control.objects() } }),
  },
  {
    method: 'POST',
    path: '/v1/objects/remove',
    answer: async ({ control }, { body, signal }) => ({
      json: await control.removeObject(checked(objectSchema, await body()).object, signal),
    }),
  },
  {
    method: 'POST',
    path: '/v1/objects/audit',
    answer: async ({ control }, { body, signal }) => ({
      json: await control.audit(checked(objectSchema, await body()).object, signal),
    }),
  },
  {
    method: 'POST',
    path: '/v1/objects/repair',
    answer: async ({ control }, { body, signal }) => ({
      json: await control.repair(checked(repairSchema, await body()), signal),
    }),
  },
  {
    method: 'POST',
    path: '/v1/objects/export',
    answer: async ({ control }, { body }) => ({
      json: await control.exportKey(checked(objectSchema, await body()).object),
    }),
  },
  {
    method: 'POST',
    path: '/v1/objects/import',
    answer: async ({ control }, { body, signal }) => ({
      json: await control.importKey(checked(importSchema, await body()), signal),
    }),
  },
  {
    method: 'POST',
    path: '/v1/objects/pin',
    answer: async ({ control }, { body, signal }) => ({
      json: await control.pin(checked(objectSchema, await body()).object, signal),
    }),
  },
  {
    method: 'POST',
    path: '/v1/export',
    answer: async ({ control }, { body, signal }) => ({
      json: await control.exportCar(checked(exportCarSchema, await body()), signal),
    }),
  },
  {
    method: 'POST',
    path: '/v1/import',
    answer: async ({ control }, { body, signal }) => ({
      json: await control.importCar(checked(importCarSchema, await body()), signal),
    }),
  },
  {
    method: 'GET',
    path: '/v1/transfers/:id',
    answer: async ({ control }, { id }) => ({ json: await control.transfer(id) }),
  },
  {
    method: 'GET',
    path: '/v1/receipts',
    answer: async ({ control }, { query }) => {
      const { since, ...names } = checked(receiptsSchema, Object.fromEntries(query))
      const filter = since === undefined ? names : { ...names, sinceMs: since }
      return { json: { v: 1, receipts: await control.receipts(filter) } }
    },
  },
  {
    method: 'GET',
    path: '/v1/storage-receipts',
    answer: async ({ control }) => ({ json: { v: 1, receipts: await control.storageReceipts() } }),
  },
  {
    method: 'GET',
    path: '/v1/receipts/:id',
    answer: async ({ control }, { id }) => ({ json: await control.receiptFile(id) }),
  },
  ...moneyRoutes,
  {
    method: 'POST',
    path: '/v1/backup',
    answer: async ({ control }, { body, signal }) => ({
      json: await control.backup(checked(backupSchema, await body()), signal),
    }),
  },
  {
    method: 'GET',
    path: '/v1/receipts/:id/credential',
    answer: async ({ control }, { id }) => ({ json: await control.receiptCredential(id) }),
  },
  {
    method: 'POST',
    path: '/v1/join',
    answer: async ({ control }, { body, signal }) => ({
      json: await control.join(checked(joinSchema, await body()).address, signal),
    }),
  },
  {
    method: 'POST',
    path: '/v1/stop',
    answer: async ({ stop }) => {
      stop()
      return { json: { v: 1 } }
    },
  },
]

/** The route for a request, with its `:id`. Throws a ControlError NO_ROUTE or NO_METHOD. */
export function findRoute(method: string, path: string): { route: Route; id: string } {
  const fitting = routes.flatMap((route) => {
    const id = fit(route.path, path)
    return id === undefined ? [] : [{ route, id }]
  })
  const found = fitting.find(({ route }) => route.method === method)
  if (found !== undefined) return found
  const isKnown = fitting.length > 0
  throw new ControlError({
    code: isKnown ? 'NO_METHOD' : 'NO_ROUTE',
    what: `there is no ${method} ${path.slice(0, 200)}`,
    why: isKnown
      ? `it takes ${fitting.map(({ route }) => route.method).join(', ')}`
      : 'the control interface has no such path',
    cure: 'see src/control/api.ts for the routes',
    exit: 2,
  })
}

/** The `:id`, empty when the pattern has none; undefined when the path does not fit. */
function fit(pattern: string, path: string): string | undefined {
  const [wanted, given] = [pattern.split('/'), path.split('/')]
  if (wanted.length !== given.length) return undefined
  let id = ''
  for (const [index, part] of wanted.entries()) {
    const component = given[index]!
    if (part !== ':id') {
      if (part !== component) return undefined
      continue
    }
    if (component === '') return undefined
    id = component
  }
  return id
}
