/** Tables of a README, as data: what a test compares with the code. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

const root = join(import.meta.dirname, '..', '..')

export interface Table {
  /** The headings that it stands under, the outermost first. */
  readonly under: readonly string[]
  readonly columns: readonly string[]
  readonly rows: readonly Readonly<Record<string, string>>[]
}

export function readText(path: string): string {
  return readFileSync(join(root, path), 'utf8')
}

export function readmeOf(protocol: string): string {
  return readText(`protocols/${protocol}/README.md`)
}

export function tablesOf(markdown: string): Table[] {
  const tables: Table[] = []
  const under: string[] = []
  const lines = markdown.split('\n')
  for (let at = 0; at < lines.length; at++) {
    const heading = /^(#+) (.*)$/.exec(lines[at]!)
    if (heading !== null) under.splice(heading[1]!.length - 1, Infinity, heading[2]!)
    if (!isRow(lines[at]) || !/^\|[-| :]+\|$/.test(lines[at + 1] ?? '')) continue
    const columns = cellsOf(lines[at]!)
    const rows: Record<string, string>[] = []
    for (at += 2; isRow(lines[at]); at++) {
      const cells = cellsOf(lines[at]!)
      if (cells.length !== columns.length) throw new Error(`a row of ${cells.length} cells: ${lines[at]}`)
      rows.push(Object.fromEntries(columns.map((column, index) => [column, cells[index]!])))
    }
    tables.push({ under: under.filter((text) => text !== undefined), columns, rows })
  }
  return tables
}

/** What stands in backticks: `a` and `b`. */
export function quoted(text: string): string[] {
  return [...text.matchAll(/`([^`]+)`/g)].map(([, word]) => word!)
}

/** Words of capitals in backticks, which are codes of refusals and faults. */
export function codesIn(text: string): string[] {
  return quoted(text).filter((word) => /^[A-Z][A-Z0-9_]+$/.test(word))
}

function isRow(line: string | undefined): boolean {
  return line !== undefined && line.startsWith('|')
}

function cellsOf(line: string): string[] {
  return line
    .slice(1, line.lastIndexOf('|'))
    .split('|')
    .map((cell) => cell.trim())
}
