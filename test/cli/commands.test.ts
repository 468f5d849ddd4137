// Every command against a real control server in this process; the peer behind it is test/control/fake-control.ts.

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { pathToFileURL } from 'node:url'

import type { ControlServer } from '../../src/control/server.ts'
import { voucherFileOf } from '../../protocols/voucher/index.ts'
import { settingNames } from '../../src/config/settings.ts'
import { FakeControl, lease, mallory, object, reed, self, statement, twill, voucher } from '../control/fake-control.ts'
import { network } from '../support/peers.ts'
import { keyOf, voucherOf } from '../voucher/parties.ts'
import { Home, lastJson } from './command-line.ts'

const table = readFileSync(join(import.meta.dirname, '..', '..', 'src', 'cli', 'commands.ts'), 'utf8')
const home = new Home()
const control = new FakeControl()
let server: ControlServer
let stops = 0
before(async () => {
  server = await home.serve(control, () => stops++)
  await control.submit({ module: 'hello.wasm' }, AbortSignal.timeout(1))
})
after(async () => {
  await server.close()
  home.remove()
})

/** Nothing that a terminal would act on, and nothing that cannot be seen. */
const assertSafe = (text: string): void => {
  // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
  assert.doesNotMatch(text, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/)
}

const ok = async (...args: string[]) => {
  const result = await home.run(args)
  assert.equal(result.code, 0, result.err)
  assertSafe(result.out)
  assertSafe(result.err)
  return result
}

describe('for a person', () => {
  test('status', async () => {
    const { out, err } = await ok('status')
    assert.equal(err, '')
    assert.equal(
      out,
      `cedar-heddle  up 3 h  12D3KooW…h9Zt  network main  profile default  pid 812            1 warning
! inbound only by relay\\u{1b}[2J (+38 ms)
network  5 connections, mesh 4, 17 records known
  /ip4/192.0.2.1/tcp/4117
relayed  through dusk-weir (38 ms away)
relay    for 2 peers, 3 connections now, 12 MB carried since it started
offering 6 cpu, 16 GiB, 100 GB, 1.0/cpu-h, wasm
resting  no
market   214 bids seen - 61 answered - 9 won
  not answered 153: needs gpu 96, price below floor 41, over memory 16
  lost 47: dearer than winner 38 (median 18 % above), not chosen 9
jobs     9 done 0 failed 1 running      earned 3.42 spent 0 credit (9 receipts signed by both)
hint     at 0.85/cpu-h you would have won about 21 more (from the bids of the last 24 h)
keeping  12 shards, 1.2 GB of 100 GB
cached   3 shards, 300 MB of 10 GB
`,
    )
  })

  test('peers: petnames beside ids, and no tricks of theirs', async () => {
    const { out } = await ok('peers')
    const [heading, first, second, ...rest] = out.trimEnd().split('\n')
    assert.match(heading ?? '', /^NAME +PEER +DIRECTION +ENCRYPTION +OPEN +STANDING +ADDRESS$/)
    assert.match(
      first ?? '',
      /^brisk-reed +12D3KooW…Reed +outbound +tls +41 s +0\.62 +\/ip4\/203\.0\.113\.7\/tcp\/4117$/,
    )
    assert.match(second ?? '', /^evil\\u\{1b\}\[2J\\u\{202e\}own\\u\{a\} +12D3KooWMallory /)
    assert.deepEqual(rest, [])
  })

  test('peer: what is thought of one; with --why each term, and no tricks of what it said', async () => {
    const short = (await ok('peer', 'brisk-reed')).out
    assert.equal(
      short,
      `brisk-reed 12D3KooW…Reed  standing 0.62  it worked for this peer
  it promised and did not come: chosen only when nobody else is there for 2 min
  there  0.97 of 212 looks
`,
    )
    const { out } = await ok('peer', 'brisk-reed', '--why')
    assert.ok(out.startsWith(short))
    assert.equal(
      out.slice(short.length),
      `
OF             WHAT                AMOUNT  WEIGHT   FOR  AGAINST
prior          as of any stranger    1.00       1  1.00
prior          as of any stranger    1.00      -1           1.00
wasi-preview1  did well              4.00       1  4.00
wasi-preview1  did not come          2.06      -1           2.06
standing = for ÷ (for + against) = 5.00 ÷ 8.06 = 0.62
wasi-preview1: paid 0.71, runs 0.31 s after the lease
wasi-preview1: SILENT {"waitedMs":4000}
wasi-preview1: OUTPUTS_SLOW \\u{1b}[31m
reference by evil\\u{1b}[2J\\u{202e}own\\u{a} 12D3KooWMallory: it signed for 1.5, which is worth 0.50 of its jobs for us
strangers as such: 0.40 (0.50: none was tried)
`,
    )
  })

  test('offers: cheapest first, filtered, sorted otherwise', async () => {
    const names = (out: string): string[] =>
      out
        .trimEnd()
        .split('\n')
        .slice(1)
        .map((line) => line.slice(0, 4))
    const { out } = await ok('offers')
    assert.deepEqual(names(out), ['bris', 'calm', 'evil'])
    assert.match(
      out,
      /brisk-reed +12D3KooW…Reed +2 cpu +4 GiB +2x L4\\u\{1b\}\[2J 24 GiB\? +20 GB +1\.0\/cpu-h +eu\? +0\.50 +13 ms +wasi-preview1 \(wasm\) +claimed/,
    )
    assert.match(
      out,
      /^calm-twill .* - +20 GB +1\.4\/cpu-h \+ 0\.002\/Ggas +- +0\.90 +- +wasi-preview1 \(wasm, closed now\)/m,
    )
    assert.deepEqual(names((await ok('offers', '--sort', 'cpu')).out)[0], 'calm')
    assert.deepEqual(names((await ok('offers', '--sort', 'standing')).out), ['calm', 'bris', 'evil'])
    assert.deepEqual(names((await ok('offers', '--sort', 'rtt', '--known')).out), ['evil', 'bris', 'calm'])
    assert.equal(control.calls.at(-1), 'offers known')
    const { code, err } = await home.run(['offers', '--sort', 'luck'])
    assert.equal(code, 2)
    assert.match(
      err,
      /^error: --sort luck is no order .*\n {2}why: there are price, cpu, memory, name, standing, rtt\n/,
    )
  })

  test('offers with flags of run: those that fit, at the price of what is asked for', async () => {
    const { out } = await ok('offers', '--cpu', '4', '--region', 'eu,uk', '--gpu-mem', '24G', '--known')
    assert.match(out, /\ncalm-twill .* 2\.5\/cpu-h /)
    assert.equal(
      control.calls.at(-1),
      'offers known for {"cpuMilli":4000,"gpuMemoryBytes":24000000000,"regions":["eu","uk"]}',
    )
    const nobody = await home.run(['offers', '--cpu', '64', '--sort', 'price'])
    assert.equal(nobody.code, 4)
    assert.match(nobody.err, /^error: no provider matches \(exit 4\)\n {2}17 known, 15 reachable \(2 silent\)/)
    assert.match(nobody.err, /wait for one: pleach run --wait 30m {7}see all: pleach offers\n$/)
    const asJson = await home.run(['offers', '--cpu', '64', '--json'])
    assert.equal((lastJson(asJson)['explanation'] as { known: number }).known, 17)
    assert.equal((await home.run(['offers', '--cpu', 'many'])).code, 2)
  })

  test('offers --explain JOB: what each said or lacks, who took it first', async () => {
    const { id } = (await control.jobs())[0]!
    const { out, err } = await ok('offers', '--explain', id)
    assert.match(err, /^job [0-9a-f]{4}: 3 providers known\n$/)
    const [, took, said, lacks] = out.split('\n')
    assert.match(took ?? '', /^brisk-reed +12D3KooW…Reed +took +took it$/)
    assert.match(said ?? '', /^evil.* +it said +busy\\u\{a\} \(wanted 2\); now: busy +BAD\\u\{1b\}\[2J$/)
    assert.match(lacks ?? '', /^calm-twill +.* +lacks +cpu \(4 < 8\); region \(de, not eu\) +LACKS_CPU$/)
    assert.equal((lastJson(await ok('offers', '--explain', id, '--json'))['providers'] as unknown[]).length, 3)
    assert.equal((await home.run(['offers', '--explain', 'nope'])).code, 2)
  })

  test('jobs', async () => {
    const { out } = await ok('jobs')
    assert.match(
      out,
      /^JOB +NAME +ROLE +STAGE +WITH +EXIT +COST +AGE\n[0-9a-f]{4} +hello\.wasm +requester +bidding +- +- +0 +\d+ d\n$/,
    )
  })

  test('put: the id alone on stdout', async () => {
    writeFileSync(join(home.path, 'backup.tar'), 'x')
    const { out, err } = await ok('put', '--code', '4+8', 'backup.tar')
    assert.equal(out, `${object}\n`)
    assert.match(
      err,
      /^backup\.tar +48\.2 MB\n12 shards, any 4 enough -> 2 peers: brisk-reed 12D3KooW…Reed, calm-twill/,
    )
    assert.match(err, /any 1 of 2 keepers may be lost; kept for /)
    assert.match(err, new RegExp(`read +pleach:read:${object}:k3y +\\(whoever has it reads\\)`))
    assert.match(err, new RegExp(`verify +pleach:verify:${object} `))
    assert.equal(control.calls.at(-1), `put ${join(home.path, 'backup.tar')} 4+8 `)
  })

  test('get: names whom it came from', async () => {
    const { out, err } = await ok('get', object, '-o', 'out.tar')
    assert.equal(out, `${join(home.path, 'out.tar')}\n`)
    assert.match(err, /^48\.2 MB +verified +from brisk-reed 12D3KooW…Reed 48\.2 MB; 2 segments made whole/)
    assert.equal(control.calls.at(-1), `get ${object} ${join(home.path, 'out.tar')}`)
  })

  test('put -: stdin is kept', async () => {
    const { out } = await home.run(['put', '-', '--name', 'a letter'], { input: 'dear' })
    assert.equal(out, `${object}\n`)
    assert.match(control.calls.at(-1)!, /^put \S+\/stdin keep a letter$/)
  })

  test('get -o -: the bytes alone on stdout', async () => {
    const { out, err } = await ok('get', `pleach:read:${object}:k3y`, '-o', '-')
    assert.equal(out, 'what was put')
    assert.match(err, /verified +from/)
  })

  test('put --convergent: what keepers have already is said', async () => {
    const { err } = await ok('put', '--convergent', 'backup.tar')
    assert.match(err, /\n12 of 12 shards were with keepers already\n/)
    assert.match(control.calls.at(-1)!, / convergent$/)
  })

  test('export: to a file, with the string that is not in it; or to stdout', async () => {
    const { out, err } = await ok('export', '2222', '-o', 'backup.car')
    assert.equal(out, `${join(home.path, 'backup.car')}\n`)
    assert.match(err, /^backup\.tar +48\.3 MB +verified, encrypted +from this peer alone\nread +pleach:read:/)
    assert.equal(control.calls.at(-1), `export 2222 ${join(home.path, 'backup.car')}`)
    const piped = await ok('export', `pleach:verify:${object}`, '-o', '-')
    assert.equal(piped.out, 'a whole CAR')
    assert.match(piped.err, /the key is not known here/)
    const { code, err: missing } = await home.run(['export', '2222'])
    assert.equal(code, 2)
    assert.match(missing, /needs -o FILE/)
  })

  test('import: from a file or stdin, with a string or without', async () => {
    const { out } = await ok('import', 'backup.car', `pleach:read:${object}:k3y`)
    assert.equal(out, `${object}\n`)
    assert.equal(control.calls.at(-1), `import ${join(home.path, 'backup.car')} pleach:read:${object}:k3y`)
    await home.run(['import', '-', '--name', 'from afar'], { input: 'a CAR' })
    assert.match(control.calls.at(-1)!, /^import \S+\/stdin $/)
  })

  test('ls', async () => {
    const { out } = await ok('ls')
    assert.match(out, /^OBJECT +NAME +SIZE +CODE +KEEPERS +LOSSES +HEALTHY +KEPT FOR +AGE\n/)
    assert.match(out, /22222222 +backup\.tar +48\.2 MB +4\+8 +2 +1 +10 of 12 +/)
  })

  test('rm', async () => {
    const { out, err } = await ok('rm', '2222')
    assert.equal(out, `${object}\n`)
    assert.match(err, /backup\.tar is forgotten; 10 of 12 shards are gone, the others go within/)
    assert.equal(control.calls.at(-1), 'remove 2222')
  })

  test('audit: who has what, and what to do', async () => {
    const { out, err } = await ok('audit', '2222')
    assert.match(out, / 3 +calm-twill 12D3KooW…Twil +failed +NOT_FOUND/)
    assert.match(out, / 7 +.+ +absent +gone/)
    assert.ok(!out.includes('\u001b'))
    assert.match(err, /10 of 12 shards healthy, any 4 enough; missing 3, 7; any 1 keeper more may be lost/)
    assert.match(err, /! one operator, as its keepers say themselves, has so much of it/)
    assert.match(err, /pleach repair 22222222 +makes them again \(it begins by itself at 8\)/)
  })

  test('repair: what was made again, and exit 4 for what found no keeper', async () => {
    const { out, err, code } = await home.run(['repair', '2222'])
    assert.deepEqual([out, code], [`${object}\n`, 4])
    assert.match(err, /10 of 12 shards were healthy, now 11/)
    assert.match(err, /made again: 3 at brisk-reed/)
    assert.match(err, /! 1 shard found no keeper: no keeper for shard 7/)
  })

  test('key export and import', async () => {
    const { out } = await ok('key', 'export')
    assert.equal(out, `pleach:read:${object}:k3y  backup.tar\n`)
    assert.equal((await ok('key', 'export', object, '--verify', '-q')).out, `pleach:verify:${object}\n`)
    const imported = await home.run(['key', 'import', '-'], { input: `${out}\n` })
    assert.equal(imported.out, `${object}\n`)
    assert.equal(control.calls.at(-1), `import pleach:read:${object}:k3y backup.tar`)
    await ok('key', 'import', 'pleach:read:x:y', '--name', 'mine')
    assert.equal(control.calls.at(-1), 'import pleach:read:x:y mine')
  })

  test('receipts', async () => {
    const { out } = await ok('receipts')
    assert.match(out, /ab12ab12 +91c0 +requester +brisk-reed 12D3KooW…Reed +3 +3 +0\.71 +credit +final/)
  })

  test('receipts of storage: what was kept, by month and keeper', async () => {
    const { out } = await ok('receipts', '--storage')
    assert.match(
      out,
      /\n[0-9a-f]{8} +2026-03 +owner +brisk-reed 12D3KooW…\w{4} +7 +2\.500 +28 +\S+ \S+ +\S+ \S+ +12 MB\n/,
    )
    const { code, err } = await home.run(['receipts', '--storage', '--job', '91c0'])
    assert.equal(code, 2)
    assert.match(err, /--storage goes alone/)
  })

  test('statements: who owes whom, what is left out, and what each owner has of it', async () => {
    const { out } = await ok('statements')
    assert.match(out, /brisk-reed 12D3KooW…Reed +1\.5 +they +0\.02 +we +2 +credit +open/)
    assert.match(out, /cd34cd34 +2 +brisk-reed 12D3KooW…Reed +1 h +3 +0\.12 +0\.5 +0\.38 +we +credit +1 /)
    assert.match(out, /cd34cd34 +disputed ab12ab12 HOLDS_LESS: we hold 0\.2, they 0 credit/)
    assert.match(out, /cd34cd34 +alice\\u\{1b\}\[2J +0\.12 credit/)
  })

  test('settle: all or one; exit 5 when nobody answers', async () => {
    const { out } = await ok('settle')
    assert.equal(out, 'brisk-reed 12D3KooW…Reed  statement 2: we owe 0.38 credit, 1 disputed\n')
    assert.equal(control.calls.at(-1), 'settle all')
    const result = await home.run(['settle', 'mallory'])
    assert.equal(result.code, 5)
    assert.match(result.out, /credit {2}no answer; it is asked again within the hour/)
  })

  test('earnings and cost: by what, since when, each unit by itself', async () => {
    const { out } = await ok('earnings', '--by', 'peer', '--since', '7d')
    assert.equal(control.calls.at(-1), 'income provider by peer since then')
    assert.match(out, /brisk-reed 12D3KooW…Reed +0\.71 +credit +2 /)
    assert.match(out, /^0\.71 credit in all, 1 peer\n {2}alice {2}0\.71 credit$/m)
    assert.match(out, /^3 euro in all, 1 peer$/m)
    assert.match((await ok('cost')).out, /2026-11-26 +0\.71 +credit/)
    assert.equal(control.calls.at(-1), 'income requester by day since ever')
    const wrong = await home.run(['cost', '--by', 'week'])
    assert.equal(wrong.code, 2)
    assert.match(wrong.err, /--by week is not one .exit 2.\n {2}why: it is one of job, day, peer/)
    assert.equal((await home.run(['cost', '--since', 'long'])).code, 2)
  })

  test('voucher ls, show, export, and a verb that is none', async () => {
    const { out } = await ok('voucher', 'ls')
    assert.match(out, /ef56ef56 +taken +brisk-reed 12D3KooW…Reed +1\.5 +credit +3 +0xfB69\w+ +yes/)
    assert.equal((JSON.parse((await ok('voucher', 'show', 'ef56')).out) as { kind: string }).kind, 'pleach-voucher')
    await ok('voucher', 'export', 'ef56', 'voucher.json')
    assert.match(readFileSync(join(home.path, 'voucher.json'), 'utf8'), /"kind": "pleach-voucher"/)
    const again = await home.run(['voucher', 'export', 'ef56', 'voucher.json'])
    assert.equal(again.code, 2)
    assert.match(again.err, /voucher\.json cannot be written/)
    for (const words of [
      ['voucher', 'sho', 'x'],
      ['voucher', 'show'],
      ['voucher', 'ls', 'x'],
      ['voucher', 'export', 'x'],
    ])
      assert.equal((await home.run(words)).code, 2, words.join(' '))
  })

  test('voucher verify needs no peer: a file that holds, one that does not, and what is no file', async () => {
    writeFileSync(join(home.path, 'good.json'), JSON.stringify(voucherFileOf(network, keyOf(), voucherOf())))
    const offline = { env: { XDG_RUNTIME_DIR: '/nonexistent' } }
    const good = await home.run(['voucher', 'verify', 'good.json'], offline)
    assert.deepEqual([good.code, good.err], [0, ''])
    assert.match(good.out, /^verified {2}voucher 1: 0\.001 credit in all/)
    const bad = { ...voucherFileOf(network, keyOf(), voucherOf()), network: 'another' }
    const lines: [string, RegExp][] = [
      [JSON.stringify(bad), /the voucher does not hold \(exit 3\)/],
      ['{', /is not a voucher file/],
    ]
    for (const [content, says] of lines) {
      writeFileSync(join(home.path, 'bad.json'), content)
      const result = await home.run(['voucher', 'verify', 'bad.json'], offline)
      assert.equal(result.code, 3)
      assert.match(result.err, says)
    }
  })

  test('receipts of a job, with a peer, since a time', async () => {
    await ok('receipts', '--job', '91c0', '--peer', 'brisk-reed', '--since', '2026-01-02')
    const filter = { job: '91c0', peer: 'brisk-reed', sinceMs: Date.UTC(2026, 0, 2) }
    assert.equal(control.calls.at(-1), `receipts ${JSON.stringify(filter)}`)
    await ok('receipts', '--since', '2d')
    const { sinceMs } = JSON.parse(control.calls.at(-1)!.replace('receipts ', '')) as { sinceMs: number }
    assert.ok(Math.abs(Date.now() - 2 * 86_400_000 - sinceMs) < 60_000)
    for (const wrong of ['yesterday', '2026-13-45', '1x', '']) {
      const { code, err } = await home.run(['receipts', '--since', wrong])
      assert.equal(code, 2, wrong)
      assert.match(err, /is no time/)
    }
  })

  test('receipt show says who did what for whom, what was used and what it comes to', async () => {
    const { out } = await ok('receipt', 'show', 'good')
    assert.match(out, /^lease {5}[0-9a-f]{64}\njob {7}bafyrei\S+ {2}place 0, epoch 1, network test\n/)
    assert.match(out, /\nworked {4}brisk-reed 12D3KooW…\w{4}\nfor {7}this peer 12D3KooW…\w{4}\n/)
    assert.match(out, /\nagreed {4}2023-11-14 22:13:20 UTC, last receipt 3\.00 s later\n/)
    assert.match(out, / USED +QUANTITY +PRICE +CREDIT\n/)
    assert.match(out, / wall +3\.00 s x 1 cpu +1\.0\/cpu-h +0\.000834\n {2}cpu +3\.00 s +not billed\n/)
    assert.match(out, / gas +3 M +free\n/)
    assert.match(out, /\nowed {6}0\.000834 credit, of 1 at most\n/)
    assert.match(out, /\nsigned {4}2 receipts by the provider, 2 by both; the last is final\n/)
    assert.match(out, /\nresult {4}bafyrei\S+ {2}exited 0\n$/)
    const json = JSON.parse((await ok('receipt', 'show', 'good', '--json')).out) as Record<string, unknown>
    assert.deepEqual(
      [
        json['role'],
        json['payable'],
        (json['other'] as { petname: string }).petname,
        (json['bill'] as object[]).length,
      ],
      ['requester', '0.000834', 'brisk-reed', 7],
    )
    assert.match((await ok('receipt', 'show', 'good', '-q')).out, /^[0-9a-f]{64}\n$/)
  })

  test('what does not hold is not shown', async () => {
    const { code, out, err } = await home.run(['receipt', 'show', 'ab12'])
    assert.deepEqual([code, out], [3, ''])
    assert.match(
      err,
      /^error: the receipts do not hold \(exit 3\)\n {2}why: at lease\.award: it is no text \(BAD_RECEIPT_FILE\)\n/,
    )
  })

  test('receipt export writes a file that receipt verify reads, in either form', async () => {
    const { out } = await ok('receipt', 'export', 'good')
    assert.equal((JSON.parse(out) as { kind: string }).kind, 'pleach-receipts')
    for (const [as, says] of [
      [
        'json',
        /^verified {2}lease [0-9a-f]{8} {2}job \w{4} {2}final {2}network test\n {2}12D3KooW…\w{4} worked for 12D3KooW…\w{4}: 0\.000834 credit/,
      ],
      ['vc', /\n {2}exported by did:key:z6Mk\w+, 2023-11-14T22:14:20\.000Z\n$/],
    ] as const) {
      const path = join(home.path, `receipts-${as}.json`)
      const written = await ok('receipt', 'export', 'good', '--as', as, '-o', path)
      assert.equal(written.out, `${path}\n`)
      assert.match(written.err, /^written; whoever has it can check it: pleach receipt verify /)
      const elsewhere = { XDG_RUNTIME_DIR: '/nonexistent' }
      assert.match((await home.run(['receipt', 'verify', path], { env: elsewhere })).out, says)
      const expecting = ['receipt', 'verify', path, '--network']
      assert.equal((await home.run([...expecting, 'test'], { env: elsewhere })).code, 0)
      const foreign = await home.run([...expecting, 'main'], { env: elsewhere })
      assert.equal(foreign.code, 3)
      assert.match(foreign.err, /network: the receipts are of the network test, not of main \(NETWORK_FOREIGN\)/)
      const again = await home.run(['receipt', 'export', 'good', '-o', path])
      assert.equal(again.code, 2)
      assert.match(again.err, /cannot be written[^]*nothing is overwritten/)
    }
  })

  test('receipts of storage are shown, exported and verified as those of work are', async () => {
    const { out } = await ok('receipt', 'show', 'kept')
    assert.match(out, /^account {3}[0-9a-f]{64}\nkept {6}brisk-reed 12D3KooW…\w{4}\nfor {7}this peer 12D3KooW…\w{4}\n/)
    assert.match(out, /\nmonth {5}2026-03, last receipt 2026-03-01 02:00:00 UTC, network test\n/)
    assert.match(out, / USED +BOTH SIGNED +THE KEEPER ALONE\n +kept +0\.001 GiB hours +0\.002 GiB hours\n/)
    assert.match(out, / carried +0 B +12 MB\n/)
    assert.match(out, /\nsigned {4}2 receipts by the keeper, 1 by both, up to 2026-03-01 01:00:00 UTC\n/)
    const json = JSON.parse((await ok('receipt', 'show', 'kept', '--json')).out) as Record<string, unknown>
    assert.deepEqual([json['role'], json['kind'], json['bothSigned']], ['owner', 'pleach-storage-receipts', 1])
    const elsewhere = { XDG_RUNTIME_DIR: '/nonexistent' }
    for (const as of ['json', 'vc']) {
      const path = join(home.path, `kept-${as}.json`)
      await ok('receipt', 'export', 'kept', '--as', as, '-o', path)
      const verified = await home.run(['receipt', 'verify', path], { env: elsewhere })
      assert.match(
        verified.out,
        /^verified {2}storage [0-9a-f]{8} {2}month 2026-03 {2}network test\n {2}12D3KooW…\w{4} kept and carried for 12D3KooW…\w{4}: kept 0\.001 GiB hours, audits passed 1,/,
      )
      assert.equal(verified.out.includes('exported by did:key:z6Mk'), as === 'vc')
    }
    assert.match((await ok('receipt', 'verify', 'kept', '-q')).out, /^[0-9a-f]{64}\n$/)
  })

  test('receipt: what cannot be meant', async () => {
    const rows: [string[], RegExp][] = [
      [['receipt', 'export', 'good', '--as', 'pdf'], /--as pdf is not known[^]*there are json and vc/],
      [['receipt', 'show', 'good', '-o', 'x'], /--as and -o are of export/],
      [['receipt', 'export', 'nobody'], /no lease begins with nobody/],
      [['receipt', 'export', 'good', '-o', '/nonexistent/x'], /cannot be written/],
    ]
    for (const [args, says] of rows) {
      const { code, err } = await home.run(args)
      assert.equal(code, 2, args.join(' '))
      assert.match(err, says)
    }
  })

  test('join', async () => {
    const { out, err } = await ok('join', '/ip4/203.0.113.7/tcp/4117')
    assert.equal(err, 'joined: connected to 2 peers\n')
    assert.match(out, /brisk-reed/)
    assert.equal(control.calls.at(-1), 'join /ip4/203.0.113.7/tcp/4117')
  })

  test('cancel', async () => {
    const [job] = await control.jobs()
    const id = job!.id.slice(-4)
    assert.equal((await ok('cancel', id)).out, `job ${id} hello.wasm: asked to stop\n`)
    assert.equal((await ok('cancel', id)).out, `job ${id} hello.wasm: refused CANCELLED\n`)
  })

  test('rerun: told as run does, as another job', async () => {
    const [job] = await control.jobs()
    const id = job!.id.slice(-4)
    const { out, err } = await ok('rerun', '--out', 'again', id)
    assert.equal(
      control.calls.find((call) => call.startsWith('rerun')),
      `rerun ${id} ${join(home.path, 'again')}`,
    )
    assert.equal(out, '42\n')
    const [next] = await control.jobs()
    assert.notEqual(next!.id, job!.id)
    assert.match(err, new RegExp(`^bid ${next!.id.slice(-4)} .*\n.*matched`, 's'))
  })

  test('pause and resume', async () => {
    assert.equal(
      (await ok('pause')).out,
      'resting  paused until pleach resume; what runs is held, and handed back in 2 min\n',
    )
    assert.equal((await ok('pause', '2h', '--now')).out, 'resting  paused for 2 h more\n')
    assert.match((await ok('status')).out, /^resting  paused for 2 h more$/m)
    assert.deepEqual(JSON.parse((await ok('pause', '30m', '--json')).out), {
      v: 1,
      resting: { because: 'PAUSED', leftMs: 1_800_000, handsBackInMs: 120_000 },
    })
    assert.equal((await ok('resume')).out, 'work for others is taken\n')
    const { code, err } = await home.run(['pause', 'soon'])
    assert.equal(code, 2)
    assert.match(err, /FOR soon cannot be used/)
  })

  test('forward: where it listens, what fails, when it is over; bad ports', async () => {
    const [submitted] = await control.jobs()
    assert.ok(submitted !== undefined)
    const { out, err } = await ok('forward', submitted.id, '8080:80')
    assert.equal(out, 'http://127.0.0.1:8080 is port 80 of the service\n')
    assert.match(err, /a connection failed: PORT_CLOSED nobody\\u\{1b\}\[2J listens/)
    assert.match(err, /is over/)
    assert.ok(control.calls.includes(`forward ${submitted.id} 8080:80`))
    await ok('forward', submitted.id, '80')
    assert.ok(control.calls.includes(`forward ${submitted.id} 80:80`))
    for (const ports of ['80:', '0', '70000', '80:0', 'x'])
      assert.equal((await home.run(['forward', submitted.id, ports])).code, 2, ports)
  })

  test('run --image: a path becomes absolute, a digest stays, and a service has ports', async () => {
    const spec = async (...args: string[]) => {
      await home.run(['run', '-q', ...args])
      return control.specs.at(-1)!
    }
    const digest = `docker.io/library/busybox@sha256:${'ab'.repeat(32)}`
    const file = await spec('--image', 'image.tar', '--entrypoint', 'sh', '--entrypoint=-c', '--', 'echo')
    assert.deepEqual([file.image?.startsWith('/'), file.entrypoint, file.args], [true, ['sh', '-c'], ['echo']])
    assert.equal((await spec('--image', digest)).image, digest)
    const service = await spec('--image', digest, '--port', '80', '--port', '81', '--health', 'tcp:80')
    assert.deepEqual([service.ports, service.health], [[80, 81], 'tcp:80'])
    for (const wrong of [
      ['--image', 'a', 'module.wasm'],
      ['--image', 'a', '--port', '0'],
      ['--runtime', 'docker', 'a'],
    ])
      assert.equal((await home.run(['run', ...wrong])).code, 2)
  })

  test('stop', async () => {
    assert.equal((await ok('stop')).err, 'stopping\n')
    assert.equal(stops, 1)
  })
})

describe('for a program: one object on stdout, nothing on stderr', () => {
  const cases: [args: string[], has: (json: Record<string, unknown>) => unknown, equals: () => unknown][] = [
    [['status'], (json) => json, () => control.status()],
    [['peers'], (json) => json, () => control.peers()],
    [['offers'], (json) => (json['offers'] as unknown[]).length, () => 3],
    [['jobs'], (json) => json['jobs'], () => control.jobs()],
    [['put', 'x'], (json) => json['object'], () => object],
    [['get', 'x', '-o', 'y'], (json) => json['object'], () => object],
    [['ls'], (json) => json['objects'], () => control.objects()],
    [['rm', 'x'], (json) => json['object'], () => object],
    [['pin', 'x'], (json) => json['object'], () => object],
    [['audit', 'x'], (json) => json['healthy'], () => 10],
    [['key', 'export'], (json) => (json['keys'] as unknown[]).length, () => 1],
    [['key', 'import', 'x'], (json) => (json['objects'] as unknown[]).length, () => 1],
    [['receipts'], (json) => json['receipts'], () => control.receipts()],
    [['statements'], (json) => json, async () => control.money.statements()],
    [['settle'], (json) => (json['settled'] as unknown[]).length, () => 1],
    [['earnings'], (json) => [json['role'], json['by']], () => ['provider', 'day']],
    [['cost', '--by', 'job'], (json) => [json['role'], json['by']], () => ['requester', 'job']],
    [['voucher', 'ls'], (json) => json['vouchers'], () => [voucher]],
    [['receipt', 'export', 'ab'], (json) => json['kind'], () => 'pleach-receipts'],
    [['join', '/ip4/1.2.3.4/tcp/1'], (json) => (json['peers'] as unknown[]).length, () => 2],
    [['stop'], (json) => json, () => ({ v: 1 })],
    [['config', 'show'], (json) => (json['settings'] as unknown[]).length, () => settingNames.length],
    [['explain', 'BUSY'], (json) => json['code'], () => 'BUSY'],
    [['help'], (json) => (json['commands'] as unknown[]).length > 10, () => true],
    [['--version'], (json) => json['version'], () => '0.1.0'],
  ]
  for (const [args, has, equals] of cases) {
    test(args.join(' '), async () => {
      const result = await ok(...args, '--json')
      assert.equal(result.err, '')
      const json = args[1] === 'export' && args[0] === 'receipt' ? JSON.parse(result.out) : lastJson(result)
      assert.equal(json['v'], 1)
      assert.deepEqual(has(json), await equals())
    })
  }
})

describe('-q prints ids only', () => {
  const cases: [args: string[], lines: () => string[] | Promise<string[]>][] = [
    [['status'], () => [self.peer]],
    [['peers'], () => [reed.peer, mallory.peer]],
    [['offers'], () => [reed.peer, twill.peer, mallory.peer]],
    [['jobs'], async () => (await control.jobs()).map(({ id }) => id)],
    [['put', 'x'], () => [object]],
    [['get', 'x', '-o', 'y'], () => [object]],
    [['ls'], () => [object]],
    [['rm', 'x'], () => [object]],
    [['pin', 'x'], () => [object]],
    [['audit', 'x'], () => [object]],
    [['key', 'import', 'x'], () => [object]],
    [['receipts'], () => [lease]],
    [['statements'], () => [statement.id]],
    [['settle'], () => [statement.id]],
    [['earnings', '--by', 'job'], () => ['bafyjobjobjob91c0', '2026-11-25']],
    [['voucher', 'ls'], () => [voucher.id]],
  ]
  for (const [args, lines] of cases) {
    test(args.join(' '), async () => {
      const { out, err } = await ok(...args, '-q')
      assert.deepEqual([out.trimEnd().split('\n'), err], [await lines(), ''])
    })
  }
})

describe('receipt verify needs no peer', () => {
  const elsewhere = { XDG_RUNTIME_DIR: '/nonexistent' }

  test('what is no receipt file is told, exit 3', async () => {
    writeFileSync(join(home.path, 'no.json'), '{"v":1,"kind":"diary"}')
    const result = await home.run(['receipt', 'verify', 'no.json'], { env: elsewhere })
    assert.equal(result.code, 3)
    assert.match(result.err, /^error: the receipts do not hold \(exit 3\)\n {2}why: at kind: /)
    writeFileSync(join(home.path, 'broken.json'), '{')
    const broken = await home.run(['receipt', 'verify', 'broken.json'], { env: elsewhere })
    assert.equal(broken.code, 3)
    assert.match(broken.err, /broken\.json is not a receipt file/)
  })

  test('each kind of bad file is told, with the place and the code', async () => {
    const good = await control.receiptFile('good')
    const whole = JSON.stringify(good)
    const credential = JSON.stringify(await control.receiptCredential('good'))
    const bad: [string, string, RegExp][] = [
      ['empty', '', /is not a receipt file[^]*why: it is empty/],
      ['cut', whole.slice(0, -2), /is not a receipt file[^]*JSON/],
      ['of a key more', whole.replace('{', '{"paid":true,'), /at paid: there is no such key \(BAD_RECEIPT_FILE\)/],
      [
        'of another network',
        whole.replace('"network":"test"', '"network":"main"'),
        /at lease\.award: the statement is of the network test, not of main \(NETWORK_FOREIGN\)/,
      ],
      [
        'of another claim',
        credential.replace('"payable":"0.000834"', '"payable":"834"'),
        /at credentialSubject\.payable: .* \(CLAIM_DIFFERS\)/,
      ],
    ]
    for (const [name, text, says] of bad) {
      const path = join(home.path, 'bad.json')
      writeFileSync(path, text)
      const { code, err } = await home.run(['receipt', 'verify', path], { env: elsewhere })
      assert.equal(code, 3, name)
      assert.match(err, says, name)
    }
    const folder = await home.run(['receipt', 'verify', home.path], { env: elsewhere })
    assert.equal(folder.code, 2)
    assert.match(folder.err, /cannot be read/)
  })

  test('from stdin, as JSON', async () => {
    const result = await home.run(['receipt', 'verify', '-', '--json'], { env: elsewhere, input: '{"v":2}' })
    assert.equal(result.code, 3)
    const json = lastJson(result)
    assert.deepEqual(
      [(json['error'] as { code: string }).code, (json['verdict'] as { ok: boolean }).ok],
      ['NOT_VERIFIED', false],
    )
  })

  test('a lease is asked of the peer, and judged here', async () => {
    const result = await home.run(['receipt', 'verify', 'ab12'])
    assert.equal(result.code, 3)
    assert.match(result.err, /at lease\.award: /)
  })

  test('a file that is not there, exit 2', async () => {
    const { code, err } = await home.run(['receipt', 'verify', 'none.json'])
    assert.equal(code, 2)
    assert.match(err, /none\.json cannot be read/)
  })
})

describe('config show', () => {
  test('says where each value comes from', async () => {
    const { out, err } = await ok('config', 'show', '--origin')
    assert.match(out, /^SETTING +VALUE +ORIGIN\n/)
    assert.match(out, /^port +4117 +default$/m)
    assert.match(err, /config\.yaml \(no such file\)/)
    const other = await home.run(['config', 'show', '--origin'], { env: { PLEACH_PRICE: '1.5' } })
    assert.match(other.out, /^price +1\.5 +PLEACH_PRICE$/m)
  })
})

test('thin commands load nothing but what Node brings: no libp2p, no zod, no yaml', async () => {
  const thick = ['up', 'devnet', 'config']
  const folder = join(import.meta.dirname, '..', '..', 'src', 'cli')
  const files = [...table.matchAll(/import\('\.\/([a-z-]+)\.ts'\)/g)].map(([, name]) => name!)
  const thin = files
    .filter((name) => !thick.includes(name))
    .map((name) => pathToFileURL(join(folder, `${name}.ts`)).href)
  assert.ok(thin.length > 10)
  const script = `
    import { registerHooks } from 'node:module'
    registerHooks({ load: (url, context, next) => (console.log(url), next(url, context)) })
    for (const url of ${JSON.stringify(thin)}) await import(url)`
  const child = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' })
  const loaded = child.stdout.trimEnd().split('\n')
  assert.ok(loaded.length > thin.length, child.stderr)
  assert.deepEqual(
    loaded.filter((url) => url.includes('node_modules')),
    [],
  )
})

test('help names every command', async () => {
  const { out } = await ok('help')
  for (const [, name] of table.matchAll(/import\('\.\/([a-z-]+)\.ts'\)/g))
    assert.match(out, new RegExp(`^ {2}${name} `, 'm'))
  assert.match(out, /No account, no telemetry/)
})
