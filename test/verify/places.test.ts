/** The verifier where it is to run: alone in plain Node, old and new, among the globals of the web alone, and in a page of a browser. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { createContext, runInContext } from 'node:vm'

import { sealCredential } from '../../protocols/receipt/credential.ts'
import { verifyAnyFile } from '../../protocols/storage/verify.ts'
import { bundleVerify, pageWithModule } from '../../tools/bundle-verify.ts'
import { asker, provider, requester, startMs } from '../negotiate/parties.ts'
import { Account } from '../receipt/accounts.ts'
import { KeptAccount } from '../storage/accounts.ts'
import { withValue } from './both.ts'
import { Browser, lacksBrowser } from './browser.ts'

const page = join(import.meta.dirname, '..', '..', 'examples', 'verify.html')
const module = bundleVerify()
const good = new Account().pays(1_000).ends(3_000).file()
const half = withValue(good, 'receipts.1.countersignature', null)
const bad = withValue(good, 'receipts.0.receipt', good.receipts[1]!.receipt)
const credential = sealCredential(asker, good, startMs)
const kept = new KeptAccount().counts().counts({ relayBytes: 2_097_152 }, false).file()
const files = { good, half, bad, credential, kept }

const folder = mkdtempSync(join(tmpdir(), 'pleach-verify-'))
after(() => rmSync(folder, { recursive: true, force: true }))
for (const [name, file] of Object.entries(files)) writeFileSync(join(folder, `${name}.json`), JSON.stringify(file))

test('the module imports nothing, and gives the one function', () => {
  assert.doesNotMatch(module, /^\s*import\b|\bimport\(|\brequire\(/m)
  assert.deepEqual(module.match(/^export .*$/gm), [
    'export { VerifierError }',
    'export async function verifyReceipts(file, { network } = {}) {',
  ])
})

test('the page has the module inside as it is now (node tools/bundle-verify.ts)', () => {
  assert.equal(readFileSync(page, 'utf8'), pageWithModule())
})

const systemNodes = ['/usr/bin/node', '/usr/local/bin/node'].filter((path) => existsSync(path))
for (const node of new Set([process.execPath, ...systemNodes])) {
  const version = execFileSync(node, ['--version'], { encoding: 'utf8' }).trim()
  const isOld = Number.parseInt(version.slice(1), 10) < 20
  test(
    `in plain Node ${version}, with nothing installed`,
    { skip: isOld ? `${version} is older than 20` : false },
    () => {
      const alone = join(folder, version)
      mkdirSync(join(alone, 'node_modules'), { recursive: true })
      writeFileSync(join(alone, 'verify.mjs'), module)
      writeFileSync(
        join(alone, 'main.mjs'),
        `import { readFileSync } from 'node:fs'
import { verifyReceipts } from './verify.mjs'
for (const path of process.argv.slice(2)) console.log(JSON.stringify(await verifyReceipts(readFileSync(path, 'utf8'))))
`,
      )
      const paths = Object.keys(files).map((name) => join(folder, `${name}.json`))
      const said = execFileSync(node, [join(alone, 'main.mjs'), ...paths], {
        encoding: 'utf8',
        env: {},
        stdio: ['ignore', 'pipe', 'pipe'],
      })
      assert.deepEqual(
        said
          .trimEnd()
          .split('\n')
          .map((line) => JSON.parse(line) as unknown),
        Object.values(files).map((file) => JSON.parse(JSON.stringify(verifyAnyFile(file))) as unknown),
      )
      assert.deepEqual(readdirSync(join(alone, 'node_modules')), [])
    },
  )
}

/** A world of its own with these globals and what ECMAScript has; gives what the module gives. */
function inWorld(globals: object): { verifyReceipts(file: unknown): Promise<unknown>; VerifierError: unknown } {
  const context = createContext({ TextEncoder, TextDecoder, ...globals })
  const script = module.replaceAll(/^export (?=async)/gm, '').replace('export { VerifierError }', '')
  return runInContext(`${script}\n;({ verifyReceipts, VerifierError })`, context) as never
}
const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value))

test('among the globals of the web alone', async () => {
  const { verifyReceipts: verify } = inWorld({ crypto })
  for (const file of Object.values(files))
    assert.deepEqual(plain(await verify(JSON.stringify(file))), plain(verifyAnyFile(file)))
})

test('where nothing can be verified, that is said, and not of the file', async () => {
  const unknowing = {
    subtle: {
      digest: crypto.subtle.digest.bind(crypto.subtle),
      importKey: async () => Promise.reject(new DOMException('Unrecognized name.', 'NotSupportedError')),
    },
  }
  for (const [globals, code, words] of [
    [{}, 'NO_WEBCRYPTO', /no WebCrypto here/],
    [{ crypto: {} }, 'NO_WEBCRYPTO', /https, localhost or a file/],
    [
      { crypto: unknowing },
      'NO_ED25519',
      /Chrome has it from version 137, Firefox from 129, Safari from 17, Node from 20/,
    ],
  ] as const) {
    await assert.rejects(inWorld(globals).verifyReceipts(JSON.stringify(good)), (error: Error & { code: string }) => {
      assert.equal(error.code, code)
      assert.match(error.message, words)
      return true
    })
  }
})

test('in a page of a browser, which asks nobody for anything', { skip: lacksBrowser(), timeout: 180_000 }, async () => {
  await using browser = await Browser.open()
  await browser.show(pathToFileURL(page).href)
  const shown = async (name: string): Promise<string> => {
    await browser.choose('#file', join(folder, `${name}.json`))
    await browser.until(`!['', 'checking …'].includes(document.getElementById('verdict').textContent)`)
    const text = await browser.value(
      'document.getElementById("verdict").textContent + "\\n" + document.getElementById("facts").innerText',
    )
    await browser.value('document.getElementById("verdict").textContent = ""')
    return text as string
  }
  const told = await shown('good')
  assert.match(told, /^They hold/)
  for (const word of [
    provider,
    requester,
    '2 signed by the provider, 2 by both; the last is final',
    '0.000834 credit',
    '3,000 ms',
    '1 for a processor-hour',
  ])
    assert.ok(told.includes(word), `${word} in ${told}`)
  assert.match(await shown('half'), /^They hold[^]*2 signed by the provider, 1 by both/)
  assert.match(await shown('credential'), /^They hold[^]*exported by\s+did:key:z6Mk/)
  const stored = await shown('kept')
  assert.match(stored, /^They hold[^]*2 signed by the keeper, 1 by both/)
  for (const word of ['2026-03', '3,600 MiB s kept', '2,097,152 bytes carried as a relay, by the keeper alone'])
    assert.ok(stored.includes(word), `${word} in ${stored}`)
  const refused = await shown('bad')
  assert.match(refused, /^They do not hold[^]*receipts\.0\.receipt[^]*SEQUENCE_GAP/)
  // A file dropped on the page goes the same way.
  await browser.value(`(() => {
    const data = new DataTransfer()
    data.items.add(new File([${JSON.stringify(JSON.stringify(good))}], 'good.json'))
    document.body.dispatchEvent(new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true }))
  })()`)
  await browser.until(`document.getElementById('verdict').textContent.startsWith('They hold')`)
  assert.deepEqual(browser.asked, [])
  // And the proxy would have seen it.
  await browser.show('http://asked.example/page')
  assert.deepEqual(browser.asked, ['http://asked.example/page'])
})
