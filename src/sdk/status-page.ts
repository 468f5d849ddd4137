/** How jobs of an embedded peer are asked after by URL: JSON on a port of this machine alone, at a path that nobody guesses. */
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'

import { ControlError, type PeerControl } from '../control/api.ts'

const connectionsMax = 64
const requestWithinMs = 10_000

export class StatusPage {
  readonly #server: Server
  readonly #secret: string

  private constructor(server: Server, secret: string) {
    this.#server = server
    this.#secret = secret
  }

  /** `secret`: text that is lawful in a path; whoever knows it may read the states of jobs. */
  static async open(control: Pick<PeerControl, 'job'>, secret: string): Promise<StatusPage> {
    const server = createServer((request, response) => {
      const [, said, what, id] = (request.url ?? '').split('/')
      const answer = (status: number, body: object): void => {
        response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' })
        response.end(`${JSON.stringify(body)}\n`)
      }
      if (request.method !== 'GET' || said !== secret || what !== 'jobs' || id === undefined)
        return answer(404, { error: 'not found' })
      control.job(id).then(
        (job) => answer(200, job),
        (error: unknown) => answer(error instanceof ControlError ? 404 : 500, { error: String(error) }),
      )
    })
    server.maxConnections = connectionsMax
    server.requestTimeout = requestWithinMs
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(0, '127.0.0.1', resolve)
    })
    // A program that has nothing else to do may end.
    server.unref()
    return new StatusPage(server, secret)
  }

  urlOf(job: string): string {
    const { port } = this.#server.address() as AddressInfo
    return `http://127.0.0.1:${port}/${this.#secret}/jobs/${job}`
  }

  close(): void {
    this.#server.close()
    this.#server.closeAllConnections()
  }
}
