/** A page in a real browser, driven over the DevTools protocol: headless, with no way to the network but a proxy that notes who asks. */
import assert from 'node:assert/strict'
import { spawn, type ChildProcess } from 'node:child_process'
import { accessSync, constants, mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const chromium = '/usr/bin/chromium'
const startsWithinMs = 60_000
const answersWithinMs = 30_000

/** Why there is no browser here; false when there is one. */
export function lacksBrowser(): string | false {
  try {
    accessSync(chromium, constants.X_OK)
    return false
  } catch {
    return `${chromium} is not installed`
  }
}

/** The browser asks its makers for the time and for news of itself, whatever the flags say. No page of ours names them. */
const ofTheBrowser = /^(?:https?:\/\/)?[\w.-]+\.(?:google|googleapis|gvt1|gstatic)\.com[:/]/

interface Answer {
  readonly id?: number
  readonly result?: Record<string, unknown>
  readonly error?: { readonly message: string }
}

export class Browser implements AsyncDisposable {
  readonly #child: ChildProcess
  readonly #proxy: Server
  readonly #folder: string
  readonly #asked: string[]
  readonly #socket: WebSocket
  readonly #waiting = new Map<number, PromiseWithResolvers<Record<string, unknown>>>()
  #calls = 0

  private constructor(child: ChildProcess, proxy: Server, folder: string, asked: string[], socket: WebSocket) {
    this.#child = child
    this.#proxy = proxy
    this.#folder = folder
    this.#asked = asked
    this.#socket = socket
    socket.addEventListener('message', ({ data }) => {
      const { id, result, error } = JSON.parse(String(data)) as Answer
      const waiting = this.#waiting.get(id ?? -1)
      if (error === undefined) waiting?.resolve(result ?? {})
      else waiting?.reject(new Error(error.message))
    })
  }

  static async open(): Promise<Browser> {
    const asked: string[] = []
    const proxy = createServer((request, response) => {
      asked.push(request.url ?? '')
      response.writeHead(404).end()
    })
    proxy.on('connect', (request, socket) => {
      asked.push(request.url ?? '')
      socket.end('HTTP/1.1 403 Forbidden\r\n\r\n')
    })
    const listening = Promise.withResolvers<void>()
    proxy.listen(0, '127.0.0.1', listening.resolve)
    await listening.promise
    const folder = mkdtempSync(join(tmpdir(), 'pleach-verify-'))
    const child = spawn(
      chromium,
      [
        '--headless',
        '--no-sandbox',
        '--disable-gpu',
        '--disable-quic',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
        `--user-data-dir=${folder}`,
        `--proxy-server=127.0.0.1:${(proxy.address() as AddressInfo).port}`,
        '--proxy-bypass-list=<-loopback>',
        '--remote-debugging-port=0',
        'about:blank',
      ],
      { stdio: ['ignore', 'ignore', 'pipe'] },
    )
    try {
      const port = await debuggingPort(child)
      // The list of pages is asked for directly: only the browser goes by the proxy.
      const pages = (await (await fetch(`http://127.0.0.1:${port}/json/list`)).json()) as {
        type: string
        webSocketDebuggerUrl: string
      }[]
      const socket = new WebSocket(pages.find(({ type }) => type === 'page')!.webSocketDebuggerUrl)
      const { promise, resolve, reject } = Promise.withResolvers<void>()
      socket.addEventListener('open', () => resolve())
      socket.addEventListener('error', () => reject(new Error('the browser does not talk')))
      await promise
      return new Browser(child, proxy, folder, asked, socket)
    } catch (error) {
      child.kill('SIGKILL')
      proxy.close()
      throw error
    }
  }

  /** Who was asked for anything since the start, but for what the browser asks for itself. */
  get asked(): readonly string[] {
    return this.#asked.filter((url) => !ofTheBrowser.test(url))
  }

  async call(method: string, params: Record<string, unknown> = {}): Promise<Record<string, unknown>> {
    const id = ++this.#calls
    const waiting = Promise.withResolvers<Record<string, unknown>>()
    this.#waiting.set(id, waiting)
    const timer = setTimeout(() => waiting.reject(new Error(`${method} is not answered`)), answersWithinMs)
    this.#socket.send(JSON.stringify({ id, method, params }))
    try {
      return await waiting.promise
    } finally {
      clearTimeout(timer)
      this.#waiting.delete(id)
    }
  }

  /** What an expression comes to in the page; of a promise, what it is kept with. */
  async value(expression: string): Promise<unknown> {
    const answer = await this.call('Runtime.evaluate', { expression, awaitPromise: true, returnByValue: true })
    assert.equal(answer['exceptionDetails'], undefined, JSON.stringify(answer['exceptionDetails']))
    return (answer['result'] as { value?: unknown }).value
  }

  /** Loads a page, and waits until it is whole. */
  async show(url: string): Promise<void> {
    await this.call('Page.navigate', { url })
    await this.until('document.readyState === "complete" && document.location.href !== "about:blank"')
  }

  /** Waits for an expression to be true. */
  async until(expression: string): Promise<void> {
    await this.value(
      `new Promise((resolve) => { const look = () => (${expression}) ? resolve() : setTimeout(look, 10); look() })`,
    )
  }

  /** Puts a file of this machine into an input of the page, as a person would. */
  async choose(selector: string, path: string): Promise<void> {
    const { root } = (await this.call('DOM.getDocument')) as { root: { nodeId: number } }
    const { nodeId } = await this.call('DOM.querySelector', { nodeId: root.nodeId, selector })
    await this.call('DOM.setFileInputFiles', { nodeId, files: [path] })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = Promise.withResolvers<void>()
    this.#child.once('exit', () => ended.resolve())
    this.#socket.close()
    this.#child.kill('SIGKILL')
    this.#proxy.closeAllConnections()
    this.#proxy.close()
    await ended.promise
    rmSync(this.#folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 })
  }
}

async function debuggingPort(child: ChildProcess): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>()
  let said = ''
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-20_000)
    const port = /DevTools listening on ws:\/\/127\.0\.0\.1:(\d+)\//.exec(said)?.[1]
    if (port !== undefined) resolve(Number(port))
  })
  child.once('exit', () => reject(new Error(`the browser ended: ${said}`)))
  const timer = setTimeout(() => reject(new Error(`the browser does not start: ${said}`)), startsWithinMs)
  try {
    return await promise
  } finally {
    clearTimeout(timer)
  }
}
