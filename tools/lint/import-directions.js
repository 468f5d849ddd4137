// The linter's own rules of this repository: who may import whom, and where a clock, dice or I/O may be used.
// The tables below are all that one needs to read; what follows them only looks them up.
//
// Paths are relative to the root of the repository. A path that ends in `/` means the folder and all below it; one that
// ends in `*` means everything that begins so; any other means that file. In `of`, `*/` stands for one folder's name,
// and `$1` in `may` for that same name.

/**
 * Who may import whom inside the repository: the first row that fits a file is its row. `lazily`: only by `import()`. `alone`: no packages
 * and none of Node's own modules.
 */
export const directions = [
  // One peer. Its folders meet only in the composition root.
  { of: 'src/require-node.ts', may: [] },
  { of: 'src/collector.ts', may: [] },
  { of: 'src/environment.ts', may: ['protocols/'] },
  // Runs the machines of every desk.
  { of: 'src/reactor.ts', may: ['src/environment.ts', 'protocols/'] },
  {
    of: 'src/main.ts',
    may: ['src/cli/', 'src/require-node.ts', 'src/collector.ts', 'src/environment.ts', 'package.json'],
  },
  { of: 'src/cli/up.ts', may: '= src/cli/', lazily: ['src/node.ts', 'src/control/server.ts', 'src/control/lock.ts'] },
  { of: 'src/cli/devnet.ts', may: '= src/cli/', lazily: ['src/node.ts', 'src/control/server.ts'] },
  { of: 'src/cli/restore.ts', may: '= src/cli/', lazily: ['src/node/restore.ts', 'src/control/lock.ts'] },
  {
    of: 'src/cli/receipt.ts',
    may: '= src/cli/',
    lazily: ['protocols/receipt/verify.ts', 'protocols/storage/verify.ts'],
  },
  { of: 'src/cli/voucher.ts', may: '= src/cli/', lazily: ['protocols/voucher/file.ts'] },
  {
    of: 'src/cli/',
    may: [
      'src/cli/',
      'src/config/',
      'src/control/client*',
      'src/control/api*',
      // What codes and endings mean: text, to be had without a peer.
      'src/control/codes*',
      'src/control/endings*',
      'src/environment.ts',
      'src/require-node.ts',
      'package.json',
    ],
  },
  { of: 'src/control/', may: ['src/control/', 'src/config/', 'src/environment.ts', 'protocols/', 'package.json'] },
  // What a program that embeds a peer is given: the composition root behind a smaller door.
  { of: 'src/sdk/', may: ['src/', 'protocols/'], never: ['src/cli/', 'src/main.ts', 'src/testing/'] },
  { of: 'src/testing/', may: ['src/testing/', 'src/sdk/', 'src/control/api*', 'src/config/', 'src/environment.ts'] },
  // The composition root in more than one file.
  {
    of: 'src/node/',
    may: ['src/', 'protocols/', 'package.json'],
    never: ['src/cli/', 'src/main.ts', 'src/sdk/', 'src/testing/'],
  },
  { of: 'src/*/', may: ['src/$1/', 'src/environment.ts', 'src/reactor.ts', 'protocols/'] },
  // What is left are the files of src itself: the composition root, and the entries of the published package.
  { of: 'src/', may: ['src/', 'protocols/', 'package.json'], never: ['src/cli/', 'src/main.ts'] },

  // For those who have nothing of pleach: it imports nothing but itself, no package either.
  { of: 'verify/', may: ['verify/'], alone: true },

  // The agreement. Only downwards; the table of protocols is below.
  { of: 'protocols/', may: ['protocols/'] },

  // The world around a peer, and what looks at all of it.
  { of: 'sim/', may: ['sim/', 'src/', 'protocols/', 'package.json'] },
  { of: 'bench/', may: ['bench/', 'sim/', 'src/', 'protocols/', 'package.json'] },
  {
    of: 'test/',
    may: ['test/', 'bench/', 'sim/', 'src/', 'protocols/', 'verify/', 'tools/', 'examples/', 'package.json'],
  },
  { of: 'examples/', may: ['examples/', 'src/', 'protocols/'] },
  { of: 'tools/', may: ['tools/', 'src/', 'protocols/', 'package.json'] },
  { of: 'bin/', may: ['src/'] },
]

/** Which protocol may import which: settle > evidence > receipt > execute > transfer > erasure; negotiate > bid > capability. */
export const protocols = {
  wire: [],
  capability: ['wire'],
  bid: ['capability', 'wire'],
  inquire: ['bid', 'capability', 'wire'],
  negotiate: ['bid', 'capability', 'wire'],
  erasure: ['wire'],
  transfer: ['erasure', 'wire'],
  placement: ['erasure', 'wire'],
  storage: ['receipt', 'negotiate', 'wire'],
  execute: ['transfer', 'erasure', 'negotiate', 'wire'],
  receipt: ['execute', 'transfer', 'erasure', 'negotiate', 'wire'],
  evidence: ['receipt', 'storage', 'negotiate', 'wire'],
  references: ['receipt', 'execute', 'transfer', 'erasure', 'negotiate', 'wire'],
  settle: ['evidence', 'receipt', 'execute', 'transfer', 'erasure', 'negotiate', 'wire'],
  voucher: ['settle', 'evidence', 'receipt', 'execute', 'transfer', 'erasure', 'negotiate', 'wire'],
  discover: ['bid', 'capability', 'wire'],
  challenge: ['capability', 'wire'],
  forward: ['execute', 'negotiate', 'wire'],
}

/** Packages that only some files may import, types included. The first row that fits a package is its row. */
export const packages = [
  { names: ['@noble/'], only: ['protocols/voucher/', 'test/voucher/'] },
  { names: ['@libp2p/gossipsub'], only: ['src/host/gossip.ts', 'sim/live/naive.ts'] },
  {
    names: [
      'libp2p',
      '@libp2p/',
      '@chainsafe/libp2p-',
      '@multiformats/multiaddr',
      'datastore-core',
      'interface-datastore',
    ],
    // The live simulator brings a transport, the address books that hosts begin with, and a memory of signatures.
    only: [
      'src/host/',
      'test/host/',
      'test/src/host/',
      // Measured beside a bare libp2p.
      'bench/data/raw-stream.ts',
      'sim/live/transport.ts',
      'sim/live/plug.ts',
      'sim/live/connection.ts',
      'sim/live/stream.ts',
      'sim/live/address-book.ts',
      'sim/live/signature-memo.ts',
      'sim/live/naive.ts',
      'sim/live/peer-store-memo.ts',
      'test/live-transport/',
    ],
  },
]

/** Files that must be pure: no clock, no dice, no timers, no I/O. */
export const pure = {
  of: [/^protocols\//, /^verify\//, /(^|\/)machine\.ts$/, /^src\/market\/[^/]*-machine\.ts$/],
  except: [/^protocols\/(.*\/)?service\.ts$/, /_pb\.ts$/],
  globals: [
    'setTimeout',
    'setInterval',
    'setImmediate',
    'queueMicrotask',
    'process',
    'fetch',
    'WebSocket',
    'console',
    'new Date()',
  ],
  members: {
    Date: ['now'],
    Math: ['random'],
    performance: ['now', 'timeOrigin'],
    AbortSignal: ['timeout'],
    crypto: ['randomUUID', 'getRandomValues'],
    process: ['*'],
  },
  modules: [
    'child_process',
    'cluster',
    'dgram',
    'dns',
    'fs',
    'http',
    'http2',
    'https',
    'inspector',
    'net',
    'os',
    'perf_hooks',
    'process',
    'readline',
    'repl',
    'sqlite',
    'timers',
    'tls',
    'worker_threads',
  ],
  // Hashing, ciphers, and signing with a key that is passed in are pure; these are dice.
  names: { crypto: /^(random|generateKey|generatePrime|getRandomValues$|webcrypto$|default$|\*$)/ },
  cure: 'take the time, the dice or the bytes as an argument, or move this to service.ts',
}

/** Files of a peer that take Clock and Random from environment.ts instead of reaching for them. */
export const clocked = {
  of: [/^src\//],
  except: [/^src\/environment\.ts$/, /^src\/cli\//, /^src\/main\.ts$/, /^src\/execution\/child\//],
  globals: ['setTimeout', 'setInterval', 'setImmediate', 'new Date()'],
  members: { Date: ['now'], Math: ['random'], performance: ['now'], AbortSignal: ['timeout'] },
  modules: ['timers'],
  names: {},
  cure: 'take a Clock or a Random (src/environment.ts) as an argument',
}

// ---------------------------------------------------------------------------------------------------------------------

const root = new URL('../../', import.meta.url).pathname

const pathOf = (context) => {
  const file = context.filename.replaceAll('\\', '/')
  return file.startsWith(root) ? file.slice(root.length) : undefined
}

const escaped = (text) => text.replace(/[.+?^${}()|[\]\\]/g, '\\$&')

/** `pattern` is a folder `a/`, a beginning `a/b*`, or a file. Gives what stood for `*\/` where one did. */
const match = (pattern, path) => {
  const open = pattern.endsWith('/') || pattern.endsWith('*')
  const body = pattern.endsWith('*') ? pattern.slice(0, -1) : pattern
  const source = escaped(body).replace('*/', '([^/]+)/')
  return new RegExp(`^${source}${open ? '' : '$'}`).exec(path)
}

const fits = (patterns, path) => patterns.some((pattern) => match(pattern, path) !== null)

/** The row of the table for a file, with `$1` filled in and `= OTHER` looked up. */
const rowFor = (path) => {
  for (const row of directions) {
    const found = match(row.of, path)
    if (found === null) continue
    const may = typeof row.may === 'string' ? directions.find((other) => `= ${other.of}` === row.may).may : row.may
    return {
      may: may.map((pattern) => pattern.replace('$1', found[1] ?? '$1')),
      never: row.never ?? [],
      lazily: row.lazily ?? [],
      alone: row.alone ?? false,
    }
  }
  return undefined
}

/** The file that a relative specifier means, from the root; undefined when it leaves the repository. */
const resolve = (from, specifier) => {
  const parts = from.split('/').slice(0, -1)
  for (const part of specifier.split('/')) {
    if (part === '' || part === '.') continue
    if (part !== '..') parts.push(part)
    else if (parts.pop() === undefined) return undefined
  }
  return parts.join('/')
}

const protocolOf = (path) => /^protocols\/([^/]+)\//.exec(path)?.[1]

/** Calls `visit(node, specifier | undefined, lazily)` for everything that imports. */
const importVisitor = (visit) => ({
  ImportDeclaration: (node) => visit(node.source, node.source.value, false),
  ExportAllDeclaration: (node) => visit(node.source, node.source.value, false),
  ExportNamedDeclaration: (node) => node.source && visit(node.source, node.source.value, false),
  TSImportType: (node) => visit(node, (node.source ?? node.argument)?.value, false),
  ImportExpression: (node) =>
    visit(node, node.source.type === 'Literal' ? node.source.value : constantTemplate(node.source), true),
})

const constantTemplate = (node) =>
  node.type === 'TemplateLiteral' && node.expressions.length === 0 ? node.quasis[0].value.cooked : undefined

/** Why `from` may not import `specifier`; undefined when it may. */
export const directionProblem = (from, specifier, lazily) => {
  const row = rowFor(from)
  if (row === undefined) return undefined
  if (specifier === undefined) {
    return /^(src|protocols|sim|verify)\//.test(from) ? 'imports a path that is only known when it runs' : undefined
  }
  if (row.alone && !specifier.startsWith('.')) return `may not import ${specifier}: it imports nothing but itself`
  const itself = specifier === 'pleach' || specifier.startsWith('pleach/')
  if (!itself && !/^[./#]|^file:/.test(specifier)) return undefined
  const target = itself ? 'src/index.ts' : specifier.startsWith('.') ? resolve(from, specifier) : undefined
  if (target === undefined) return `imports ${specifier}, which is not a path inside the repository`
  if (lazily && fits(row.lazily, target)) return undefined
  if (!fits(row.may, target) || fits(row.never, target)) {
    return fits(row.lazily, target)
      ? `may load ${target} only by import(), so that other commands start without it`
      : `may not import ${target}; it may import ${row.may.join(', ') || 'nothing of this repository'}`
  }
  const mine = protocolOf(from)
  const other = protocolOf(target)
  if (mine === undefined || other === undefined || mine === other || !from.startsWith('protocols/')) return undefined
  if (protocols[mine] === undefined) return `is in protocols/${mine}, which the table of protocols does not know`
  if (protocols[mine].includes(other)) return undefined
  return `may not import protocols/${other}; protocols/${mine} may import ${protocols[mine].join(', ') || 'no other'}`
}

/** Why `from` may not import the package `specifier`; undefined when it may. */
export const packageProblem = (from, specifier) => {
  if (specifier === undefined) return undefined
  const row = packages.find(({ names }) =>
    names.some((name) =>
      /[/-]$/.test(name) ? specifier.startsWith(name) : specifier === name || specifier.startsWith(`${name}/`),
    ),
  )
  if (row === undefined || fits(row.only, from)) return undefined
  return `may not import ${specifier}; only ${row.only.join(', ')} may`
}

const importRule = (problemOf) => ({
  create(context) {
    const from = pathOf(context)
    if (from === undefined) return {}
    return importVisitor((node, specifier, lazily) => {
      const problem = problemOf(from, specifier, lazily)
      if (problem !== undefined) context.report({ node, message: `${from} ${problem}` })
    })
  },
})

// --- what a file may reach for without importing it ------------------------------------------------------------------

const builtin = (specifier) => /^(?:node:)?([a-z_0-9]+)(?:\/.*)?$/.exec(specifier)?.[1]

/** A name that this file does not define itself: a global, or one taken from a module of Node's own. */
const isAmbient = (reference) => {
  const definition = reference.resolved?.defs[0]
  if (definition === undefined) return true
  return definition.type === 'ImportBinding' && definition.parent.source.value.startsWith('node:')
}

const memberName = (node) => {
  if (!node.computed) return node.property.name
  return node.property.type === 'Literal' ? node.property.value : constantTemplate(node.property)
}

/** What an ambient name is used for: `Date.now`, `new Date()`, `setTimeout`; undefined for types and what is lawful. */
const useOf = (node, table) => {
  let at = node
  let name = node.name
  let parent = node.parent
  if (parent.type === 'TSTypeQuery' || parent.type === 'TSTypeReference' || parent.type === 'TSQualifiedName') return
  if (name === 'globalThis' && parent.type === 'MemberExpression' && parent.object === at) {
    name = memberName(parent)
    at = parent
    parent = at.parent
  }
  if (name === 'Date' && table.globals.includes('new Date()')) {
    if (parent.type === 'NewExpression' && parent.callee === at && parent.arguments.length === 0) return 'new Date()'
    if (parent.type === 'CallExpression' && parent.callee === at) return 'Date()'
  }
  if (table.globals.includes(name)) return name
  const members = Object.hasOwn(table.members, name) ? table.members[name] : undefined
  if (members === undefined) return
  if (parent.type === 'MemberExpression' && parent.object === at) {
    const member = memberName(parent)
    return members.includes(member) ? `${name}.${member}` : undefined
  }
  if (parent.type === 'VariableDeclarator' && parent.init === at && parent.id.type === 'ObjectPattern') {
    const taken = parent.id.properties.find((property) => members.includes(property.key?.name))
    return taken === undefined ? undefined : `${name}.${taken.key.name}`
  }
}

const ambientRule = (table) => ({
  create(context) {
    const from = pathOf(context)
    if (from === undefined || !table.of.some((it) => it.test(from)) || table.except.some((it) => it.test(from))) {
      return {}
    }
    const report = (node, what) => context.report({ node, message: `${from} may not use ${what}: ${table.cure}` })
    const visitReferences = (scope) => {
      for (const reference of scope.references) {
        if (!isAmbient(reference)) continue
        const use = useOf(reference.identifier, table)
        if (use !== undefined) report(reference.identifier, use)
      }
      scope.childScopes.forEach(visitReferences)
    }
    const visitModule = (node, specifier) => {
      const name = specifier === undefined ? undefined : builtin(specifier)
      if (name !== undefined && table.modules.includes(name)) report(node, specifier)
      return name
    }
    return {
      ImportDeclaration(node) {
        if (node.importKind === 'type') return
        const name = visitModule(node.source, node.source.value)
        if (name === undefined || !Object.hasOwn(table.names, name)) return
        for (const it of node.specifiers) {
          const imported =
            it.type === 'ImportSpecifier' ? it.imported.name : it.type === 'ImportDefaultSpecifier' ? 'default' : '*'
          if (it.importKind === 'type' || !table.names[name].test(imported)) continue
          const whole = imported === 'default' || imported === '*'
          report(it, whole ? `all of ${node.source.value} (import the names that are needed)` : imported)
        }
      },
      ExportNamedDeclaration: (node) => node.source && visitModule(node.source, node.source.value),
      ExportAllDeclaration: (node) => visitModule(node.source, node.source.value),
      ImportExpression: (node) => visitModule(node, node.source.value),
      'Program:exit': () => visitReferences(context.sourceCode.scopeManager.globalScope),
    }
  },
})

export default {
  meta: { name: 'pleach' },
  rules: {
    directions: importRule(directionProblem),
    packages: importRule(packageProblem),
    pure: ambientRule(pure),
    clock: ambientRule(clocked),
  },
}
