// `verify/` as one ES module: for dist/verify.js, and for examples/verify.html, which has it inside so that the page is one file.
//
//   node tools/bundle-verify.ts        writes the module into examples/verify.html anew

import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const root = join(import.meta.dirname, '..')
const page = join(root, 'examples', 'verify.html')
const [begins, ends] = ['// --- verify/, as it is ---', '// --- the end of verify/ ---']

/** Everything that stands between `import` or `export` and the file that it names. */
const linked = /^(?:import|export) [^'\n]*from '\.\/([a-z0-9-]+)\.js';\n/gm
const declared = /^(?:async )?(?:function|class|const|let) (?:\w+|[[{][^=]*[\]}]) ?/gm

/** The module's text. Every module of `verify/` is in it once, after what it imports, all in one scope. */
export function bundleVerify(): string {
  const compiled = mkdtempSync(join(tmpdir(), 'pleach-bundle-'))
  try {
    const options = [
      '--target',
      'es2022',
      '--module',
      'nodenext',
      '--types',
      'node',
      '--rewriteRelativeImportExtensions',
    ]
    const compiler = join(root, 'node_modules', '.bin', 'tsc')
    // Types are checked with those of everything else.
    execFileSync(compiler, ['--ignoreConfig', '--noCheck', '--outDir', compiled, ...options, 'verify/index.ts'], {
      cwd: root,
    })
    const module = inOneScope(sourcesOf(compiled))
    return execFileSync(join(root, 'node_modules', '.bin', 'oxfmt'), ['--stdin-filepath=verify.js'], {
      cwd: root,
      input: module,
      encoding: 'utf8',
    })
  } finally {
    rmSync(compiled, { recursive: true, force: true })
  }
}

/** The door is the last. */
function sourcesOf(folder: string): string[] {
  const [sources, seen] = [new Array<string>(), new Set<string>()]
  const visit = (name: string): void => {
    if (seen.has(name)) return
    seen.add(name)
    const source = readFileSync(join(folder, `${name}.js`), 'utf8')
    for (const [, imported] of source.matchAll(linked)) visit(imported!)
    sources.push(source)
  }
  visit('index')
  return sources
}

function inOneScope(sources: readonly string[]): string {
  const parts = sources.map((source, index) => {
    const alone = source.replaceAll(linked, '')
    // Only what the door gives is given by the whole.
    return index === sources.length - 1 ? alone : alone.replaceAll(/^export (?=async|function|class|const|let)/gm, '')
  })
  const names = parts.flatMap((part) => part.replaceAll(/^export /gm, '').match(declared) ?? [])
  const twice = names.filter((name, index) => names.indexOf(name) !== index)
  if (twice.length > 0)
    throw new Error(`said twice in verify/, whose modules share one scope here: ${twice.join(', ')}`)
  return parts.join('\n')
}

/** The page with the module as it is now. */
export function pageWithModule(): string {
  const [before, rest] = readFileSync(page, 'utf8').split(begins) as [string, string]
  return `${before}${begins}\n${bundleVerify()}${ends}${rest.split(ends)[1]!}`
}

if (import.meta.main) writeFileSync(page, pageWithModule())
