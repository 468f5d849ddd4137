import assert from 'node:assert/strict'
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'

import { lendingByDefault } from '../../src/config/capacity.ts'
import { readConfigFile } from '../../src/config/config-file.ts'
import { directoriesOf } from '../../src/config/directories.ts'
import { ConfigError, type Env } from '../../src/config/error.ts'
import { plainMoney, plainPolicy, plainRelay } from '../../src/config/options.ts'
import { describeSettings, gatherSettings, resolveOptions, type FlagTexts } from '../../src/config/resolve.ts'
import { signer } from '../support/peers.ts'

const world = mkdtempSync(join(realpathSync(tmpdir()), 'pleach-config-'))
const path = join(world, 'config.yaml')
after(() => rmSync(world, { recursive: true, force: true }))

const gib = 2 ** 30
const somebody = signer(1).peer
const machine = { cores: 8, memoryBytes: 31 * gib + 5, diskFreeBytes: 412_345_678_901, aheadOfUtcMinutes: 60 }
const directories = directoriesOf({ HOME: '/h' }, 'default')

const sources = async (flags: FlagTexts, env: Env, yaml?: string) => {
  if (yaml === undefined) rmSync(path, { force: true })
  else writeFileSync(path, yaml)
  return { flags, env, file: await readConfigFile(path) }
}
const resolve = async (flags: FlagTexts, env: Env = {}, yaml?: string) =>
  resolveOptions(gatherSettings(await sources(flags, env, yaml)), machine, directories)
const originOf = async (name: string, flags: FlagTexts, env: Env, yaml?: string) => {
  const rows = describeSettings(gatherSettings(await sources(flags, env, yaml)), machine, directories)
  const row = rows.find((one) => one.name === name)
  return `${row?.value} (${row?.origin})`
}
const refused = async (says: RegExp, flags: FlagTexts, env: Env = {}, yaml?: string) => {
  await assert.rejects(resolve(flags, env, yaml), (error) => {
    assert.ok(error instanceof ConfigError, String(error))
    assert.equal(error.exit, 2)
    assert.match(`${error.message} | ${error.why} | ${error.cure}`, says)
    return true
  })
}

describe('what a peer is started with', () => {
  test('when nobody says anything: it lends nothing and listens on 4117', async () => {
    assert.deepEqual(await resolve({}), {
      network: 'main',
      reach: 'public',
      dataDir: '/h/.local/share/pleach',
      listen: ['/ip4/0.0.0.0/tcp/4117', '/ip6/::/tcp/4117'],
      bootstrap: [],
      offer: null,
      bandwidth: { upBytesPerSecond: null, downBytesPerSecond: null },
      relay: plainRelay,
      workers: 4,
      cacheBytes: 0,
      money: plainMoney,
      profile: 'default',
    })
  })

  test('relays: which it uses, and whether it is one', async () => {
    const relay = `/ip4/203.0.113.7/tcp/4117/p2p/${somebody}`
    assert.deepEqual((await resolve({ relayServe: ['true'], relayRate: ['1MB/s'] })).relay, {
      serve: true,
      bytesPerSecond: 1_000_000,
      use: 'auto',
    })
    assert.equal((await resolve({}, { PLEACH_RELAY_USE: 'never' })).relay?.use, 'never')
    assert.deepEqual((await resolve({}, {}, `relayUse:\n  - ${relay}\n`)).relay?.use, [relay])
    await refused(/--relay-use auto, .* cannot be used .*"auto" is not an address/, { relayUse: ['auto', relay] })
    await refused(/after the port comes \/p2p\/PEER/, { relayUse: ['/ip4/203.0.113.7/tcp/4117'] })
    await refused(/nothing follows the peer/, { relayUse: [`${relay}/p2p-circuit/p2p/${somebody}`] })
    const through = `${relay}/p2p-circuit/p2p/${somebody}`
    assert.deepEqual((await resolve({ bootstrap: [through] })).bootstrap, [through])
    await refused(/after the peer comes nothing/, { bootstrap: [`${through}/p2p-circuit`] })
  })

  test('with --offer alone: three quarters of the processors, half of the memory, a quarter of the disk', async () => {
    const { offer } = await resolve({ offer: ['true'] })
    assert.deepEqual(offer, {
      cpuMilli: 6_000,
      memoryBytes: 15 * gib,
      keepBytes: 100_000_000_000,
      cpuHourMicro: 1_000_000,
      unit: 'credit',
      wallMsMax: 86_400_000,
      containers: { socketPath: null, mayPull: false, mayEgress: false },
      policy: plainPolicy,
    })
  })

  test('with everything said', async () => {
    const { offer, network, reach, listen } = await resolve({
      offer: ['true'],
      cpu: ['500m'],
      memory: ['512Mi'],
      storage: ['20G'],
      price: ['0.85'],
      unit: ['chf'],
      maxTime: ['2h'],
      network: ['home'],
      reach: ['lan'],
      port: ['0'],
      region: ['eu'],
      operator: ['the weavers'],
      hours: ['mon 18:00-19:00'],
      deny: [somebody],
      oversubscribe: ['1.5'],
      priceGas: ['0.002'],
      priceMemory: ['0.1'],
      priceDisk: ['0.01'],
      priceIn: ['0.03'],
      priceOut: ['0.09'],
      priceGpu: ['2'],
      premiumChallenged: ['20'],
      admission: ['/usr/local/bin/admit'],
      idleOnly: ['true'],
      gpu: ['RTX 4090:24G:2'],
    })
    assert.deepEqual(offer, {
      cpuMilli: 500,
      memoryBytes: 512 * 2 ** 20,
      keepBytes: 20_000_000_000,
      cpuHourMicro: 850_000,
      unit: 'chf',
      wallMsMax: 7_200_000,
      containers: { socketPath: null, mayPull: false, mayEgress: false },
      policy: {
        ...plainPolicy,
        region: 'eu',
        operator: 'the weavers',
        // An hour ahead of UTC.
        hours: [{ fromMinute: 17 * 60, toMinute: 18 * 60 }],
        deny: [somebody],
        oversubscription: 1.5,
        gigaGasMicro: 2_000,
        memoryGibHourMicro: 100_000,
        inGibMicro: 30_000,
        outGibMicro: 90_000,
        storeGibHourMicro: 10_000,
        gpuHourMicro: 2_000_000,
        challengedPercent: 20,
        admission: '/usr/local/bin/admit',
        idleOnly: true,
        gpus: [{ model: 'RTX 4090', memoryBytes: 24e9, count: 2 }],
      },
    })
    assert.deepEqual([network, reach], ['home', 'lan'])
    assert.deepEqual(listen, ['/ip4/0.0.0.0/tcp/0', '/ip6/::/tcp/0'])
  })

  test('a small machine lends a processor and half of what it has', () => {
    const small = { cores: 1, memoryBytes: 1_500_000_001, diskFreeBytes: 3_900_000_000, aheadOfUtcMinutes: 60 }
    assert.deepEqual(lendingByDefault(small), { cpuMilli: 1_000, memoryBytes: 750_000_000, keepBytes: 0 })
  })
})

describe('flags before variables before config.yaml', () => {
  const yaml = 'price: 3.0\nnetwork: c\n'
  const rows: [flags: FlagTexts, env: Env, yaml: string | undefined, price: string][] = [
    [{}, {}, undefined, '1 (default)'],
    [{}, {}, yaml, `3.0 (${path})`],
    [{}, { PLEACH_PRICE: '2' }, yaml, '2 (PLEACH_PRICE)'],
    [{ offer: ['true'], price: ['1.5'] }, { PLEACH_PRICE: '2' }, yaml, '1.5 (--price)'],
    [{}, { PLEACH_PRICE: '' }, yaml, `3.0 (${path})`],
  ]
  for (const [flags, env, file, price] of rows) {
    test(price, async () => assert.equal(await originOf('price', flags, env, file), price))
  }

  test('every key of config.yaml in three spellings', async () => {
    for (const key of ['maxTime', 'max_time', 'max-time']) {
      assert.equal(await originOf('maxTime', {}, {}, `${key}: 3h\n`), `3h (${path})`)
    }
  })

  test('bootstrap: repeated flags, commas in the variable, a list or a text in the file', async () => {
    const [one, two] = ['/ip4/203.0.113.7/tcp/4117', '/dns4/example.org/tcp/1']
    assert.deepEqual((await resolve({ bootstrap: [one, two] })).bootstrap, [one, two])
    assert.deepEqual((await resolve({}, { PLEACH_BOOTSTRAP: `${one}, ${two},` })).bootstrap, [one, two])
    assert.deepEqual((await resolve({}, {}, `bootstrap: [${one}, ${two}]\n`)).bootstrap, [one, two])
    assert.deepEqual((await resolve({}, {}, `bootstrap: ${one}\n`)).bootstrap, [one])
    assert.deepEqual((await resolve({}, {}, `bootstrap: []\n`)).bootstrap, [])
  })

  test('a port of a stronger source counts before addresses of a weaker one, and the other way about', async () => {
    const listen = ['/ip4/127.0.0.1/tcp/5']
    assert.deepEqual((await resolve({ port: ['6'] }, {}, `listen: ${listen[0]}\n`)).listen[0], '/ip4/0.0.0.0/tcp/6')
    assert.deepEqual((await resolve({ listen }, {}, 'port: 6\n')).listen, listen)
    await refused(/--port.*--listen says where to listen already/, { port: ['6'], listen })
  })

  test('what an orchestrator sets for a service of our name is not meant for us', async () => {
    const env = { PLEACH_PORT: 'tcp://10.0.0.1:4117', PLEACH_SERVICE_HOST: '10.0.0.1', PLEACH_PORT_4117_TCP: 'x' }
    assert.equal((await resolve({}, env)).listen[0], '/ip4/0.0.0.0/tcp/4117')
  })
})

describe('what cannot be used is told with its place and a cure', () => {
  const rows: [says: RegExp, flags: FlagTexts, env?: Env, yaml?: string][] = [
    [
      /--bootstrap 203.0.113.7:4117 .* it begins with \/; .*write it like \/ip4\/203/,
      { bootstrap: ['203.0.113.7:4117'] },
    ],
    [/\/ip4\/300.0.0.1 is no host/, { bootstrap: ['/ip4/300.0.0.1/tcp/1'] }],
    [/after the host comes \/tcp\/PORT/, { bootstrap: ['/ip4/1.2.3.4/udp/1/quic-v1'] }],
    [/after the host comes \/tcp\/PORT/, { listen: ['/ip4/1.2.3.4/tcp/65536'] }],
    [/\/dns4\/example.org is no host/, { listen: ['/dns4/example.org/tcp/1'] }],
    [/after the port comes nothing, or \/p2p\/PEER/, { bootstrap: ['/ip4/1.2.3.4/tcp/1/p2p/short'] }],
    [/PLEACH_BOOTSTRAP x .*unset PLEACH_BOOTSTRAP/, {}, { PLEACH_BOOTSTRAP: 'x' }],
    [/bootstrap in .*config\.yaml x .*edit .*config\.yaml/, {}, {}, 'bootstrap: x\n'],
    [/--cpu 4 .*nothing is lent: add --offer/, { cpu: ['4'] }],
    [/--cpu 64 .*this machine has 8 processors/, { offer: ['true'], cpu: ['64'] }],
    [/--memory 1Ti .*this machine has/, { offer: ['true'], memory: ['1Ti'] }],
    [/--cpu 0 .*more than nothing/, { offer: ['true'], cpu: ['0'] }],
    [/memory in .*512m .*write M \(millions\)/, {}, {}, 'offer: true\nmemory: 512m\n'],
    [/PLEACH_PRICE cheap .*not an amount/, {}, { PLEACH_PRICE: 'cheap' }],
    [/PLEACH_OFFER maybe .*neither true nor false/, {}, { PLEACH_OFFER: 'maybe' }],
    [/--reach here .*none of public, lan, loopback/, { reach: ['here'] }],
    [/--network Main .*small letters/, { network: ['Main'] }],
    [/PLEACH_BOOTSRAP is not a variable.*did you mean PLEACH_BOOTSTRAP/, {}, { PLEACH_BOOTSRAP: '/x' }],
    [/prcie is not a key; did you mean price\?/, {}, {}, 'prcie: 1\n'],
    [/CPU says again what another key says/, {}, {}, 'cpu: 1\nCPU: 2\n'],
    [/rewardShares in .* the shares come to 600 of 1000/, {}, {}, 'reward_shares: { alice: 600 }\n'],
    [/rewardShares is not a list of texts/, {}, {}, 'rewardShares: { alice: [1] }\n'],
    [
      /the checksum of 0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeD is wrong/,
      { rewardAddress: ['0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeD'] },
    ],
    [/"credits" is none of none, ledger, vouchers/, { settlement: ['credits'] }],
    [/--credit-ceiling 1 .*a stranger may owe 2 already/, { creditFloor: ['2'], creditCeiling: ['1'] }],
    [/network is not a text or a number/, {}, {}, 'network: [a, b]\n'],
    [/it is not a list of keys and values/, {}, {}, '- a\n'],
    [/at line 1, column 5/, {}, {}, 'a: [}\n'],
  ]
  for (const [says, flags, env, yaml] of rows) test(String(says), async () => refused(says, flags, env, yaml))
})

describe('a node file that is published elsewhere', () => {
  const yaml = `
node_settings: { node_name: x, reward_address: "0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed" }
reward_shares: { alice: 600, bob: 400 }
shared_resources: { cpu_cores: 4, ram_gb: 8, storage_gb: 50.5, gpus: [{ model: RTX 4090, vram_gb: 24 }, { model: L4, vram_gb: 24, count: 2 }] }
network_config: { p2p_port: 5001, max_upload_mbps: 5, enable_tee: true }
staking: { min_stake_amount: 2.5, auto_stake_rewards: true, validator: "0x1", lock: { days: 30 } }
offer: true
`
  test('is taken for what has a counterpart, and the rest is named', async () => {
    const { offer, listen, bandwidth, money } = await resolve({}, {}, yaml)
    assert.equal(money?.rewardAddress, '0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed')
    assert.deepEqual(money.rewardShares, [
      { owner: 'alice', permille: 600 },
      { owner: 'bob', permille: 400 },
    ])
    assert.deepEqual(bandwidth, { upBytesPerSecond: 625_000, downBytesPerSecond: null })
    assert.deepEqual([offer?.cpuMilli, offer?.memoryBytes, offer?.keepBytes], [4_000, 8_000_000_000, 50_500_000_000])
    assert.equal(listen[0], '/ip4/0.0.0.0/tcp/5001')
    assert.deepEqual(offer?.policy?.gpus, [
      { model: 'RTX 4090', memoryBytes: 24e9, count: 1 },
      { model: 'L4', memoryBytes: 24e9, count: 2 },
    ])
    assert.equal(offer.policy.tee, true)
    assert.deepEqual([offer.policy.bondMicro, offer.policy.bondGrows], [2_500_000, true])
    const file = await readConfigFile(path)
    assert.deepEqual(file?.withoutEffect, ['node_settings.node_name', 'staking.validator', 'staking.lock'])
  })

  test('its unknown keys are errors too', async () => {
    await refused(
      /shared_resources.ram_bg is not a key; did you mean ram_gb\?/,
      {},
      {},
      'shared_resources: {ram_bg: 1}\n',
    )
    await refused(/shared_resources.ram_gb is not a number/, {}, {}, 'shared_resources: {ram_gb: much}\n')
    await refused(/shared_resources.gpus is not a list of GPUs/, {}, {}, 'shared_resources: {gpus: [RTX]}\n')
    await refused(/staking.min_stake_amount is not a number/, {}, {}, 'staking: {min_stake_amount: much}\n')
    await refused(/staking.auto_stake_rewards is not true or false/, {}, {}, 'staking: {auto_stake_rewards: 2}\n')
    await refused(/staking.min_stake_amont is not a key; did you mean/, {}, {}, 'staking: {min_stake_amont: 1}\n')
    await refused(/enable_tee is not true or false/, {}, {}, 'network_config: {enable_tee: perhaps}\n')
    await refused(/shared_resources holds no keys/, {}, {}, 'shared_resources: 1\n')
  })
})
