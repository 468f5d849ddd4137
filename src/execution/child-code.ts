/**
 * The child's own code, read once by the peer and handed to every child over a pipe, so that a child needs no right to read
 * any file at all, and so that types are stripped once and not in every child (145 ms to start becomes 45).
 */
import { readFile } from 'node:fs/promises'
import { stripTypeScriptTypes, type registerHooks } from 'node:module'
import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'

/** A module graph: each source by its URL, and where the bare names of packages lead. */
export interface ChildCode {
  readonly main: string
  readonly sources: Readonly<Record<string, string>>
  readonly packages: Readonly<Record<string, string>>
}

/** Our own modules and the shim's are about thirty. */
const modulesMax = 100
const main = new URL(`child/main${extname(import.meta.filename)}`, import.meta.url).href
/** The specifier of an import or export at the beginning of a line or statement. Types have been stripped before. */
const specifiers = /(?:^|;)\s*(?:import|export)\b(?:[^'";]*?\bfrom)?\s*(["'])([^"'\n]+)\1/gm

export async function readChildCode(): Promise<ChildCode> {
  const sources: Record<string, string> = {}
  const packages: Record<string, string> = {}
  const waiting = [main]
  for (let url = waiting.pop(); url !== undefined; url = waiting.pop()) {
    if (Object.hasOwn(sources, url)) continue
    if (Object.keys(sources).length >= modulesMax) throw new Error(`the child has more than ${modulesMax} modules`)
    const text = await readFile(fileURLToPath(url), 'utf8')
    const source = url.endsWith('.ts') ? stripTypes(text) : text
    sources[url] = source
    for (const [, , specifier = ''] of source.matchAll(specifiers)) {
      if (specifier.startsWith('node:')) continue
      if (specifier.startsWith('.')) waiting.push(new URL(specifier, url).href)
      else waiting.push((packages[specifier] ??= import.meta.resolve(specifier)))
    }
  }
  return { main, sources, packages }
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
  readonly code: ChildCode
  readonly task: Task
}

/** The child's first instructions, for `node -e`: everything else comes over its standard input. */
export const bootstrap = `(${boot.toString()})(require, (url) => import(url))`

/**
 * Runs in the child, as text: may use nothing of this module, nor of what a compiler puts beside it, which for an `import()` of its own
 * it does: `load` is one that no compiler sees.
 */
function boot(
  require: NodeJS.Require,
  load: (url: string) => Promise<{ readonly main: (task: unknown) => never }>,
): void {
  const module = require('node:module') as { readonly registerHooks: typeof registerHooks }
  const fs = require('node:fs') as { readonly readFileSync: (descriptor: number, encoding: string) => string }
  const { code, task } = JSON.parse(fs.readFileSync(0, 'utf8')) as ChildInput<unknown>
  module.registerHooks({
    resolve(specifier, context, next) {
      if (specifier.startsWith('node:')) return next(specifier, context)
      const url = code.packages[specifier] ?? new URL(specifier, context.parentURL).href
      return { url, format: 'module', shortCircuit: true }
    },
    load(url, context, next) {
      const source = code.sources[url]
      return source === undefined ? next(url, context) : { format: 'module', source, shortCircuit: true }
    },
  })
  void load(code.main).then((child) => child.main(task))
}
