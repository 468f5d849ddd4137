/** Applies patches to a copy of the tree, and takes them back. */
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import type { Edit, Mutant } from './mutant.ts'

const copied = ['src', 'protocols', 'sim', 'package.json', 'tsconfig.json']

export class PatchError extends Error {
  override readonly name = 'PatchError'
}

/** A copy of the tree that can be broken and mended. Its dependencies are those of the original. */
export class Copy implements Disposable {
  readonly folder: string

  constructor(root: string) {
    this.folder = mkdtempSync(join(tmpdir(), 'pleach-mutants-'))
    for (const name of copied) cpSync(join(root, name), join(this.folder, name), { recursive: true })
    symlinkSync(join(root, 'node_modules'), join(this.folder, 'node_modules'))
  }

  /** Plants the bug. The returned function takes it out again. Throws PatchError when the text is not there exactly once. */
  plant({ name, edits }: Mutant): () => void {
    const before = edits.map(({ file }) => [file, readFileSync(join(this.folder, file), 'utf8')] as const)
    const restore = (): void => {
      for (const [file, text] of before.toReversed()) writeFileSync(join(this.folder, file), text)
    }
    for (const edit of edits) {
      const path = join(this.folder, edit.file)
      const text = readFileSync(path, 'utf8')
      if (text.split(edit.find).length !== 2) {
        restore()
        throw new PatchError(`mutant ${name} no longer applies: ${edit.file} has ${describeCount(text, edit)}`)
      }
      writeFileSync(
        path,
        text.replace(edit.find, () => edit.replace),
      )
    }
    return restore
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true })
  }
}

function describeCount(text: string, { find }: Edit): string {
  const count = text.split(find).length - 1
  return `${count === 0 ? 'nothing like it' : `it ${count} times`}: ${find.split('\n')[0]!.trim()}`
}
