// What deploy/ says is what the programs know: nobody has a cluster here, so it is read, and held against them.

import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, globSync, mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { parseArgs } from 'node:util'

import { parseAllDocuments } from 'yaml'

import { flagOf, settingNames, settings } from '../../src/config/settings.ts'
import { tokenVariable } from '../../sim/commands/agent.ts'
import { listedAgents, namedAgents } from '../../sim/live/agents/addresses.ts'
import { simOptions } from '../../sim/options.ts'
import { livePeersMax, scenarioNamed } from '../../sim/scenarios/index.ts'

const root = join(import.meta.dirname, '..', '..')
const folder = join(root, 'deploy')

/** Of YAML, whose fields are asked for by name; what is not there is undefined. */
// oxlint-disable-next-line typescript/no-explicit-any
type Tree = any

function documents(path: string): Tree[] {
  return parseAllDocuments(readFileSync(join(folder, path), 'utf8'), { merge: true }).map((document) => {
    assert.deepEqual([...document.errors, ...document.warnings], [], path)
    return document.toJS()
  })
}

/** As Compose and Kubernetes put in what only they know. */
function filled(words: readonly string[]): string[] {
  return words.map((word) =>
    word.replaceAll(/\$\{\w+:-(?<fallback>[^}]*)\}/g, '$<fallback>').replaceAll(/\$\(\w+\)/g, '10.0.0.1'),
  )
}

interface Command {
  readonly program: 'sim' | 'pleach'
  readonly verb: string
  /** Of sim, as it reads them. */
  readonly values: Readonly<Record<string, unknown>>
}

/** Throws when the program would not take it. */
function checkedCommand(words: readonly string[]): Command {
  const [node, ...rest] = filled(words)
  assert.equal(node, 'node')
  const at = rest.findIndex((word) => !word.startsWith('--'))
  for (const flag of rest.slice(0, at))
    assert.ok(process.allowedNodeEnvironmentFlags.has(flag.replace(/=.*/, '')), `node has no ${flag}`)
  const [file, verb = '', ...args] = rest.slice(at)
  assert.ok(existsSync(join(root, file!)), file)
  if (file === 'bin/pleach.js') {
    assert.equal(verb, 'up')
    const flags = new Map(settingNames.map((name) => [flagOf(name).slice(2), settings[name]]))
    const options = Object.fromEntries(
      [...flags].map(([flag, { placeholder }]) => [flag, { type: placeholder === '' ? 'boolean' : 'string' } as const]),
    )
    const { values } = parseArgs({ args, options })
    for (const [flag, value] of Object.entries(values)) if (typeof value === 'string') flags.get(flag)!.read([value])
    return { program: 'pleach', verb: 'up', values }
  }
  assert.equal(file, 'sim/main.ts')
  const { values, positionals } = parseArgs({ args: [verb, ...args], options: simOptions, allowPositionals: true })
  if (verb === 'agent') assert.equal(listedAgents(values.listen).length, 1)
  else {
    assert.equal(verb, 'run')
    const scenario = scenarioNamed(positionals[1]!)
    assert.ok(scenario !== undefined, positionals[1])
    const wanted = Number(values['agents-wanted'])
    assert.ok(Number(values.peers) >= wanted && Number(values.peers) <= wanted * livePeersMax)
    assert.ok(namedAgents(values.agents!) !== undefined)
  }
  return { program: 'sim', verb, values }
}

describe('the image', () => {
  const lines = readFileSync(join(folder, 'Containerfile'), 'utf8')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
  const copied = lines
    .filter((line) => line.startsWith('COPY ') && !line.includes('--from'))
    .flatMap((line) => line.split(' ').slice(1, -1))

  test('is run by nobody who is root, and has nothing that is built', () => {
    assert.equal(
      lines.findLast((line) => line.startsWith('USER ')),
      'USER 1000:1000',
    )
    const runs = lines.filter((line) => line.startsWith('RUN '))
    assert.deepEqual(
      runs.map((line) => line.split(' ')[1]),
      ['npm', 'install'],
    )
    assert.match(runs[0]!, /^RUN npm ci --omit=dev --ignore-scripts /)
    const { engines }: Tree = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
    const oldest = engines.node.slice(2)
    for (const line of lines.filter((from) => from.startsWith('FROM ')))
      assert.match(line, new RegExp(`node:${oldest}-`))
  })

  test('has all that is sent to whoever builds it, and that is all that it takes', (t) => {
    const sent = readFileSync(join(root, '.dockerignore'), 'utf8')
      .split('\n')
      .filter((line) => line.startsWith('!'))
      .map((line) => line.slice(1))
    for (const path of copied) {
      assert.ok(existsSync(join(root, path)), path)
      assert.ok(
        sent.some((pattern) => pattern === path || (pattern.endsWith('*') && path.startsWith(pattern.slice(0, -1)))),
        `${path} is not sent`,
      )
    }
    const app = mkdtempSync(join(tmpdir(), 'pleach-image-'))
    t.after(() => rmSync(app, { recursive: true }))
    for (const path of new Set(copied)) cpSync(join(root, path), join(app, path), { recursive: true })
    symlinkSync(join(root, 'node_modules'), join(app, 'node_modules'))
    const run = (...args: string[]): string => execFileSync(process.execPath, args, { cwd: app, encoding: 'utf8' })
    assert.match(run('sim/main.ts', 'list'), /^market /m)
    assert.match(run('bin/pleach.js', 'up', '--help'), /--bootstrap/)
    // Everything else is loaded when it is wanted.
    run(
      '--input-type=module',
      '--eval',
      "await import('./sim/commands/live.ts'); await import('./sim/commands/agent.ts')",
    )
  })

  test('has the packages that its programs import, though it has none that only tests need', () => {
    const lock: Tree = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'))
    const names = new Set<string>()
    for (const file of globSync('{bin,protocols,src,sim}/**/*.{ts,js}', { cwd: root }))
      for (const { groups } of readFileSync(join(root, file), 'utf8').matchAll(
        /(?:^|\n)(?:import|export)(?! type)[^'"]*?from '(?<name>(?:@[\w-]+\/)?[a-z][\w-]*)(?:\/[^']*)?'/g,
      ))
        names.add(groups!['name']!)
    names.delete('node')
    assert.ok(names.size > 10 && names.has('libp2p'), [...names].join())
    for (const name of names) {
      const found = lock.packages[`node_modules/${name}`]
      assert.ok(found !== undefined, name)
      assert.ok(found.dev !== true, `${name} is not there without the packages of tests`)
    }
    const built = Object.entries<Tree>(lock.packages).filter(
      ([, { dev, hasInstallScript }]) => !dev && hasInstallScript,
    )
    assert.deepEqual(
      built.map(([name]) => name),
      [],
    )
  })
})

describe('compose', () => {
  for (const file of ['compose.yaml', 'compose.peers.yaml'])
    test(`${file} is whole, and starts what there is`, () => {
      const [compose, ...others] = documents(file)
      assert.deepEqual(others, [])
      const services = Object.entries<Tree>(compose.services)
      for (const [name, service] of services) {
        const { build, networks, command, environment = {}, volumes = [] } = service
        assert.ok(existsSync(join(folder, build.context, build.dockerfile)), name)
        for (const network of networks) assert.ok(network in compose.networks, network)
        assert.equal(compose.networks.mesh.internal, true)
        assert.ok(service.read_only && service.cap_drop.includes('ALL'))
        for (const volume of volumes as string[]) {
          const [from] = volume.split(':')
          assert.ok(/^[./]/.test(from!) || from! in compose.volumes, volume)
        }
        const { program, values } = checkedCommand(command)
        assert.equal(program === 'sim', tokenVariable in environment)
        if (typeof values['agents'] === 'string') {
          const { name: agents, port } = namedAgents(values['agents'])!
          const { command: theirs, deploy } = compose.services[agents]
          assert.equal(listedAgents(String(checkedCommand(theirs).values['listen']))[0]!.port, port)
          assert.equal(deploy.replicas, command[command.indexOf('--agents-wanted') + 1])
        }
        if (typeof values['bootstrap'] === 'string')
          assert.ok(values['bootstrap'].split('/')[2]! in compose.services, values['bootstrap'])
      }
      assert.equal(services.length, 2)
    })
})

describe('kubernetes', () => {
  const files = readdirSync(join(folder, 'kubernetes'))
  const all = files.flatMap((file) => documents(join('kubernetes', file)))
  const of = (kind: string): Tree[] => all.filter((one) => one.kind === kind)
  const named = (kind: string, name: string): Tree => of(kind).find(({ metadata }) => metadata.name === name)
  const apiVersions: Readonly<Record<string, string>> = {
    Service: 'v1',
    PersistentVolumeClaim: 'v1',
    StatefulSet: 'apps/v1',
    Job: 'batch/v1',
    NetworkPolicy: 'networking.k8s.io/v1',
  }
  const isPart = (part: object, of: object): boolean =>
    Object.entries(part).every(([key, value]) => (of as Record<string, unknown>)[key] === value)
  const bytes = (size: string): number => {
    const [, number, unit] = /^(\d+)([MG])i$/.exec(size)!
    return Number(number) * 2 ** (unit === 'M' ? 20 : 30)
  }
  const pods = (): Tree[] => [...of('StatefulSet'), ...of('Job')].map(({ spec }) => spec.template)

  test('has objects with what each kind must have, and names that are used once', () => {
    assert.deepEqual(files, ['agents.yaml', 'peers.yaml', 'run.yaml'])
    for (const { apiVersion, kind, metadata, spec } of all) {
      assert.equal(apiVersion, apiVersions[kind as string], kind)
      assert.match(metadata.name ?? metadata.generateName, /^[a-z][a-z-]{0,50}$/)
      assert.ok(typeof spec === 'object')
    }
    const names = all.map(({ kind, metadata }) => `${kind} ${metadata.name}`)
    assert.equal(new Set(names).size, names.length)
  })

  test('has services that find their pods, and ports that these have', () => {
    for (const { spec, metadata } of of('Service')) {
      assert.equal(spec.clusterIP, 'None', metadata.name)
      const found = pods().filter((pod) => isPart(spec.selector, pod.metadata.labels))
      assert.equal(found.length, 1, metadata.name)
      for (const { targetPort, port } of spec.ports) {
        const ports = found[0].spec.containers.flatMap((container: Tree) => container.ports)
        assert.ok(ports.some((one: Tree) => one.name === targetPort && one.containerPort === port))
      }
    }
    for (const { spec } of of('StatefulSet')) {
      assert.ok(named('Service', spec.serviceName) !== undefined)
      assert.ok(isPart(spec.selector.matchLabels, spec.template.metadata.labels))
      assert.ok(Number.isInteger(spec.replicas))
    }
    for (const { spec } of of('NetworkPolicy'))
      assert.ok(pods().some((pod) => isPart(spec.podSelector.matchLabels, pod.metadata.labels)))
  })

  test('has pods that are nobody, are given what they ask for, and mount what there is', () => {
    for (const { spec } of [...of('StatefulSet'), ...of('Job')]) {
      const { template, volumeClaimTemplates = [] } = spec
      const { securityContext, containers, volumes } = template.spec
      assert.deepEqual([securityContext.runAsNonRoot, securityContext.runAsUser], [true, 1000])
      const claims = volumeClaimTemplates.map(({ metadata }: Tree) => metadata.name)
      const known = new Set([...volumes.map(({ name }: Tree) => name), ...claims])
      for (const { persistentVolumeClaim: claim } of volumes)
        if (claim !== undefined) assert.ok(named('PersistentVolumeClaim', claim.claimName) !== undefined)
      for (const { image, resources, volumeMounts, securityContext: own } of containers) {
        assert.match(image, /^registry\.example\/pleach:\d/)
        assert.ok(bytes(resources.requests.memory) <= bytes(resources.limits.memory))
        assert.ok(resources.requests.cpu !== undefined && resources.limits.cpu !== undefined)
        assert.ok(own.readOnlyRootFilesystem && !own.allowPrivilegeEscalation)
        for (const { name } of volumeMounts) assert.ok(known.has(name), name)
        // Node writes nowhere else.
        assert.ok(volumeMounts.some(({ mountPath }: Tree) => mountPath === '/tmp'))
      }
    }
    for (const { spec } of of('Job')) assert.equal(spec.template.spec.restartPolicy, 'Never')
  })

  test('starts programs by flags that they have, and they find each other', () => {
    for (const { spec, metadata } of pods()) {
      const [{ command, args, env = [] }] = spec.containers
      const { program, values } = checkedCommand([...command, ...args])
      const secrets = env.filter(({ valueFrom }: Tree) => valueFrom.secretKeyRef !== undefined)
      assert.deepEqual(
        secrets.map(({ name, valueFrom }: Tree) => [name, valueFrom.secretKeyRef.name]),
        program === 'sim' ? [[tokenVariable, 'pleach-sim']] : [],
        JSON.stringify(metadata),
      )
      const variables = [...command, ...args].flatMap((word: string) => [...word.matchAll(/\$\((\w+)\)/g)])
      for (const [, name] of variables) assert.ok(env.some((one: Tree) => one.name === name))
      if (typeof values['agents'] === 'string') {
        const { name, port } = namedAgents(values['agents'])!
        assert.equal(named('Service', name).spec.ports[0].port, port)
        const agents = of('StatefulSet').find((set) => set.spec.serviceName === name)
        assert.equal(String(agents.spec.replicas), values['agents-wanted'])
        const [disks] = agents.spec.template.spec.volumes
        const each = Number(values['peers']) / agents.spec.replicas
        assert.ok(bytes(disks.emptyDir.sizeLimit) > 2 * each * 2 ** 21)
      }
      if (typeof values['bootstrap'] === 'string')
        assert.ok(named('Service', values['bootstrap'].split('/')[2]!) !== undefined)
    }
  })
})

test('what the read-me says to type names files and flags that there are', () => {
  const text = readFileSync(join(folder, 'README.md'), 'utf8')
  // What runs leave is made when there is one.
  for (const [path] of text.matchAll(/(?<![\w/])deploy\/(?!out\b)[\w./-]*\w/g))
    assert.ok(existsSync(join(root, path)), path)
  for (const file of globSync('**/*.yaml', { cwd: folder })) assert.ok(text.includes(file), `${file} is not told`)
  for (const [, flag] of text.matchAll(/`[^`]*(--agents[\w-]*)/g)) assert.ok(flag!.slice(2) in simOptions, flag)
})
