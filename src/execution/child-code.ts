/**
 * The child's own code, read once by the peer and handed to every child over a pipe, so that a child needs no right to read
 * any file at all, and so that types are stripped once and not in every child. It is one script, not a graph of modules: loading 25 modules
 * through hooks took 20 ms of each child's start, the script takes 2.
 */
import { readFile } from 'node:fs/promises'
import { stripTypeScriptTypes } from 'node:module'
import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'
import type * as vm from 'node:vm'

/** Our own modules and the shim's are about thirty. */
const modulesMax = 100
const main = new URL(`child/main${extname(import.meta.filename)}`, import.meta.url).href

/** What the child is started from: the text of a script whose value has the function `main(task)`. */
export async function readChildCode(): Promise<string> {
  const modules = new Map<string, string>()
  const waiting = [main]
  for (let url = waiting.pop(); url !== undefined; url = waiting.pop()) {
    if (modules.has(url)) continue
    if (modules.size >= modulesMax) throw new Error(`the child has more than ${modulesMax} modules`)
    const text = await readFile(fileURLToPath(url), 'utf8')
    const { body, needs } = asFunction(url.endsWith('.ts') ? stripTypes(text) : text, url)
    modules.set(url, body)
    waiting.push(...needs.filter((need) => !need.startsWith('node:')))
  }
  const bodies = [...modules].map(([url, body]) => `${JSON.stringify(url)}: ${body}`)
  // A module that is needed while it is being made is `undefined` to whoever needs it, and its first use throws: no cycles.
  return `(() => { 'use strict'
const made = {}
const need = (url) => made[url] ??= url.startsWith('node:') ? process.getBuiltinModule(url) : all[url]()
const all = {\n${bodies.join(',\n')}\n}
return need(${JSON.stringify(main)}) })()`
}

/** Where a statement may begin, with the line's end that may be all that ends the one before; the shim's modules are minified. */
const edge = '((?:^|[;}])\\s*)'
const name = '[\\w$]+'
const from = '(["\'])([^"\'\\n]+)'
const importing = new RegExp(
  `${edge}import\\b\\s*(${name})?\\s*,?\\s*(?:\\{([^}]*)\\})?(?:\\*\\s*as\\s+(${name}))?\\s*(?:from)?\\s*${from}\\5`,
  'gm',
)
const exportingList = new RegExp(
  `${edge}export\\s*(?:\\{([^}]*)\\}|\\*\\s*as\\s+(${name}))\\s*(?:from\\s*${from}\\4)?`,
  'gm',
)
const exportingDefault = new RegExp(`${edge}export\\s+default\\s+((?:class|function)\\s+)(${name})`, 'gm')
const exporting = new RegExp(`${edge}export\\s+((?:async\\s+)?(?:const|let|class|function\\*?)\\s+)(${name})`, 'gm')
/** A key of an object may have such a name. */
const anyOther = new RegExp(`${edge}(?:import|export)\\b(?!\\s*:).*`, 'm')

/**
 * A module as a function that makes what it exports. By patterns, not by a parser: they know the forms in which our own
 * modules and the shim's are written, and what they do not know is an error at the first task of a peer and in every test.
 */
function asFunction(source: string, url: string): { readonly body: string; readonly needs: readonly string[] } {
  const needs: string[] = []
  const exports: string[] = []
  const need = (specifier: string): string => {
    const it = specifier.startsWith('node:')
      ? specifier
      : specifier.startsWith('.')
        ? new URL(specifier, url).href
        : import.meta.resolve(specifier)
    needs.push(it)
    return `need(${JSON.stringify(it)})`
  }
  const inside = source
    .replace(
      importing,
      (_all, before: string, whole?: string, list?: string, all?: string, _quote?: string, of?: string) => {
        const parts = names(list).map(([outer, inner]) => `${outer}: ${inner}`)
        if (whole !== undefined) parts.push(`default: ${whole}`)
        return `${before} const ${all ?? `{ ${parts.join()} }`} = ${need(of ?? '')}`
      },
    )
    .replace(exportingList, (_all, before: string, list?: string, all?: string, _quote?: string, of?: string) => {
      if (all !== undefined) exports.push(`${all}: ${need(of ?? '')}`)
      for (const [inner, outer] of names(list))
        exports.push(`${outer}: ${of === undefined ? inner : `${need(of)}.${inner}`}`)
      return before
    })
    .replace(exportingDefault, (_all, before: string, kind: string, what: string) => {
      exports.push(`default: ${what}`)
      return `${before} ${kind}${what}`
    })
    .replace(exporting, (_all, before: string, kind: string, what: string) => {
      exports.push(what)
      return `${before} ${kind}${what}`
    })
  const unknown = anyOther.exec(inside)
  if (unknown !== null) throw new Error(`${url} imports or exports in an unknown form: ${unknown[0].slice(0, 80)}`)
  return { body: `() => {${inside}\nreturn { ${exports.join()} } }`, needs }
}

/** `a, b as c` as pairs, each with its second name. */
function names(list = ''): (readonly [string, string])[] {
  const parts = list.split(',').map((part) => part.trim())
  return parts
    .filter((part) => part !== '')
    .map((part) => {
      const [first = '', second = first] = part.split(/\s+as\s+/)
      return [first, second]
    })
}

/** Node says on stderr that this function may change; whoever runs a peer from its sources can do nothing about it. */
function stripTypes(source: string): string {
  const original = Object.getOwnPropertyDescriptor(process, 'emitWarning')!
  Object.defineProperty(process, 'emitWarning', { ...original, value: () => {} })
  try {
    return stripTypeScriptTypes(source)
  } finally {
    Object.defineProperty(process, 'emitWarning', original)
  }
}

/** What a child is told on its standard input. */
export interface ChildInput<Task> {
  readonly code: string
  readonly task: Task
}

/** The child's first instructions, for `node -e`: everything else comes over its standard input. */
export const bootstrap = `(${boot.toString()})(require)`

/** Runs in the child, as text: may use nothing of this module, nor of what a compiler puts beside it. */
function boot(require: NodeJS.Require): void {
  const { Script } = require('node:vm') as typeof vm
  const fs = require('node:fs') as { readonly readFileSync: (descriptor: number, encoding: string) => string }
  const { code, task } = JSON.parse(fs.readFileSync(0, 'utf8')) as ChildInput<unknown>
  const child = new Script(code, { filename: 'child' }).runInThisContext() as {
    readonly main: (task: unknown) => never
  }
  child.main(task)
}
