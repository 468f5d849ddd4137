/** YAML that a person wrote, every scalar as text: the price 1.0 must not become 1, nor the argument NO become false. */
import { readFile } from 'node:fs/promises'

/** More than anybody types; a log file given by mistake is refused before it is parsed. */
const fileBytesMax = 256 * 1024

/** Undefined when there is no file; empty text when nothing is in it. Throws what `bad` makes of the reason. */
export async function readYaml(path: string, bad: (why: string) => Error): Promise<unknown> {
  let text
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw bad(`it cannot be read: ${(error as Error).message}`)
  }
  if (text.length > fileBytesMax) throw bad(`it has more than ${fileBytesMax} bytes`)
  const { parse } = await import('yaml')
  try {
    return parse(text, { schema: 'failsafe' }) ?? ''
  } catch (error) {
    const [first = 'it is not YAML'] = (error as Error).message.split('\n')
    throw bad(first.replace(/:$/, ''))
  }
}

export function isGroup(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
