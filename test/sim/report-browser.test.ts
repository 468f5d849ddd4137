/** The page of a run in a real browser, by day and by night: something is to be seen, and nothing is asked for. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import {
  accessSync,
  constants,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { inflateSync } from 'node:zlib'

import { page } from '../../sim/report/html.ts'
import { checkRecord } from '../../sim/report/record.ts'
import { recordOfLive } from '../../sim/report/from-live.ts'
import { hostile, liveSample, sampleFindings, sampleRecord } from './report-samples.ts'

const chromium = '/usr/bin/chromium'
const withinMs = 90_000
const [width, height] = [1_200, 3_000]

const skip = isExecutable(chromium) ? false : `${chromium} is not installed`
const folder = mkdtempSync(join(tmpdir(), 'pleach-browser-'))
/** Where pictures of pages are left for people to look at; by itself nothing is. */
const picturesKept = process.env['PLEACH_PICTURES']

/** Everything that the browser wants of anybody, this machine included, ends here: it is its proxy. */
const asked: string[] = []
/** The browser asks its makers for the time and for news of itself, whatever the flags say. No page of ours names them. */
const ofTheBrowser = /^(?:https?:\/\/)?[\w.-]+\.(?:google|googleapis|gvt1|gstatic)\.com[:/]/
const askedByThePage = (): string[] => asked.filter((url) => !ofTheBrowser.test(url))
const proxy = createServer((request, response) => {
  asked.push(request.url ?? '')
  response.writeHead(404).end()
})
proxy.on('connect', (request, socket) => {
  asked.push(request.url ?? '')
  socket.end('HTTP/1.1 403 Forbidden\r\n\r\n')
})

before(async () => {
  const { promise, resolve } = Promise.withResolvers<void>()
  proxy.listen(0, '127.0.0.1', resolve)
  await promise
})
after(() => {
  proxy.closeAllConnections()
  proxy.close()
  rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 })
})

/** The pixels of the page. */
async function shot(html: string, name: string, scheme: 'light' | 'dark'): Promise<Picture> {
  const [source, picture, profile] = ['html', 'png', 'profile'].map((end) => join(folder, `${name}.${end}`)) as [
    string,
    string,
    string,
  ]
  writeFileSync(source, html)
  mkdirSync(profile)
  const flags = [
    '--headless',
    '--no-sandbox',
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
    '--hide-scrollbars',
    `--user-data-dir=${profile}`,
    `--proxy-server=127.0.0.1:${(proxy.address() as AddressInfo).port}`,
    '--proxy-bypass-list=<-loopback>',
    `--blink-settings=preferredColorScheme=${scheme === 'dark' ? 0 : 1}`,
    `--screenshot=${picture}`,
    `--window-size=${width},${height}`,
    `file://${source}`,
  ]
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  execFile(chromium, flags, { timeout: withinMs }, (error, _stdout, stderr) =>
    error === null ? resolve() : reject(new Error(`chromium: ${error.message}\n${stderr}`)),
  )
  await promise
  if (picturesKept !== undefined) {
    mkdirSync(picturesKept, { recursive: true })
    copyFileSync(picture, join(picturesKept, `${name}.png`))
  }
  return decodePng(readFileSync(picture))
}

for (const scheme of ['light', 'dark'] as const) {
  test(
    `the page is to be seen when it is ${scheme}, and asks for nothing`,
    { skip, timeout: 2 * withinMs },
    async () => {
      const { colours, dark, light } = await shot(page(sampleRecord()), scheme, scheme)
      // Text, lines and figures: grey steps of letters alone make dozens of colours.
      assert.ok(colours > 100, `${colours} colours`)
      const [ground, ink] = scheme === 'light' ? [light, dark] : [dark, light]
      assert.ok(ground > 0.7, `${ground} of it is ground`)
      assert.ok(ink > 0.002, `${ink} of it is ink`)
      assert.deepEqual(askedByThePage(), [])
    },
  )
}

for (const scheme of ['light', 'dark'] as const) {
  test(`the page of a live run is to be seen when it is ${scheme}`, { skip, timeout: 2 * withinMs }, async () => {
    const html = page(checkRecord(recordOfLive(liveSample(sampleFindings())), 'sample'))
    const { colours, dark, light } = await shot(html, `live-${scheme}`, scheme)
    assert.ok(colours > 100, `${colours} colours`)
    const [ground, ink] = scheme === 'light' ? [light, dark] : [dark, light]
    assert.ok(ground > 0.7, `${ground} of it is ground`)
    assert.ok(ink > 0.002, `${ink} of it is ink`)
    assert.deepEqual(askedByThePage(), [])
  })
}

test('text that wants out of the page stays in it, and asks for nothing', { skip, timeout: 2 * withinMs }, async () => {
  const records = [sampleRecord(hostile), recordOfLive(liveSample(sampleFindings(hostile), hostile))]
  for (const [index, record] of records.entries()) {
    const { colours } = await shot(page(checkRecord(record, 'sample')), `hostile-${index}`, 'light')
    assert.ok(colours > 100, `${colours} colours`)
  }
  assert.deepEqual(askedByThePage(), [])
})

test('the proxy would have seen a request', { skip, timeout: 2 * withinMs }, async () => {
  await shot('<!doctype html><img src="http://asked.example/x.png">', 'asking', 'light')
  assert.deepEqual(askedByThePage(), ['http://asked.example/x.png'])
})

interface Picture {
  readonly colours: number
  /** Shares of all pixels. */
  readonly dark: number
  readonly light: number
}

/** What Chromium writes: eight bits a channel, three or four channels, not interlaced. */
function decodePng(png: Buffer): Picture {
  const parts: Buffer[] = []
  for (let at = 8; at < png.length; at += 12 + png.readUInt32BE(at))
    if (png.toString('latin1', at + 4, at + 8) === 'IDAT')
      parts.push(png.subarray(at + 8, at + 8 + png.readUInt32BE(at)))
  const [columns, rows, depth, type, interlaced] = [16, 20]
    .map((at) => png.readUInt32BE(at))
    .concat([...png.subarray(24, 26), png[28]!])
  assert.deepEqual([columns, rows, depth, interlaced], [width, height, 8, 0])
  const channels = type === 6 ? 4 : 3
  const stride = columns! * channels
  const raw = inflateSync(Buffer.concat(parts))
  const colours = new Set<number>()
  let [dark, light] = [0, 0]
  let above = new Uint8Array(stride)
  for (let row = 0; row < rows!; row++) {
    const filter = raw[row * (stride + 1)]!
    const line = Uint8Array.from(raw.subarray(row * (stride + 1) + 1, (row + 1) * (stride + 1)))
    for (let at = 0; at < stride; at++) {
      const left = at >= channels ? line[at - channels]! : 0
      const corner = at >= channels ? above[at - channels]! : 0
      line[at]! += [0, left, above[at]!, (left + above[at]!) >> 1, paeth(left, above[at]!, corner)][filter]!
    }
    for (let at = 0; at < stride; at += channels) {
      colours.add((line[at]! << 16) | (line[at + 1]! << 8) | line[at + 2]!)
      const bright = (line[at]! + line[at + 1]! + line[at + 2]!) / 3
      if (bright < 90) dark++
      else if (bright > 200) light++
    }
    above = line
  }
  const all = columns! * rows!
  return { colours: colours.size, dark: dark / all, light: light / all }
}

function paeth(left: number, up: number, corner: number): number {
  const guess = left + up - corner
  const [toLeft, toUp, toCorner] = [left, up, corner].map((value) => Math.abs(guess - value)) as [
    number,
    number,
    number,
  ]
  return toLeft <= toUp && toLeft <= toCorner ? left : toUp <= toCorner ? up : corner
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
