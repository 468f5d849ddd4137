/** Rows of text in columns that line up. */

/** A column whose name begins with `>` is set to the right, as numbers are. */
export function table(columns: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const names = columns.map((column) => column.replace(/^>/, ''))
  const lines = [names, ...rows]
  const widths = names.map((_, index) => Math.max(...lines.map((line) => line[index]!.length)))
  return lines.map((line) =>
    line
      .map((cell, index) =>
        columns[index]!.startsWith('>') ? cell.padStart(widths[index]!) : cell.padEnd(widths[index]!),
      )
      .join('  ')
      .trimEnd(),
  )
}
