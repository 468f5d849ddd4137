/** Scenario files: read, checked, and made whole from those that they extend. */
import { readFileSync, readdirSync } from 'node:fs'
import { basename, join } from 'node:path'

import { parse } from 'yaml'

import { describeIssue } from '../../protocols/execute/index.ts'
import { isGroup } from '../../src/config/yaml-file.ts'
import { liveVices } from '../live/vices/names.ts'
import { vices } from '../model/vices.ts'
import { compose } from './scenario.ts'
import { scenarioFileSchema, scenarioSchema, type Scenario, type ScenarioFile } from './schema.ts'

/** What is wrong with a scenario file, and where. */
export class ScenarioError extends Error {
  override readonly name = 'ScenarioError'

  constructor(path: string, why: string) {
    super(`${path}: ${why}`)
  }
}

/** More than anybody writes; a log given by mistake is refused before it is parsed. */
const fileBytesMax = 64 * 1024

/** All scenarios of a folder, by name. Throws ScenarioError. */
export function loadFolder(folder: string): Map<string, Scenario> {
  const files = new Map(
    readdirSync(folder)
      .filter((name) => name.endsWith('.yaml'))
      .toSorted()
      .map((name) => [basename(name, '.yaml'), readScenario(join(folder, name))] as const),
  )
  const whole = new Map<string, Scenario>()
  const resolve = (name: string, from: readonly string[]): Scenario => {
    const known = whole.get(name)
    if (known !== undefined) return known
    const file = files.get(name)
    const path = `${name}.yaml`
    if (file === undefined)
      throw new ScenarioError(from.at(-1) ?? path, `it extends ${name}, and there is no such scenario`)
    if (from.includes(path)) throw new ScenarioError(path, 'it extends itself')
    const scenario = complete(name, file, (base) => resolve(base, [...from, path]))
    whole.set(name, scenario)
    return scenario
  }
  for (const name of files.keys()) resolve(name, [])
  return whole
}

/** A file of somebody's own, which may extend the known ones. Throws ScenarioError. */
export function loadFile(path: string, known: (name: string) => Scenario | undefined): Scenario {
  return complete(basename(path, '.yaml'), readScenario(path), (base) => {
    const scenario = known(base)
    if (scenario === undefined) throw new ScenarioError(path, `it extends ${base}, and there is no such scenario`)
    return scenario
  })
}

function readScenario(path: string): ScenarioFile {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    throw new ScenarioError(path, `it cannot be read: ${(error as Error).message}`)
  }
  if (text.length > fileBytesMax) throw new ScenarioError(path, `it has more than ${fileBytesMax} bytes`)
  let parsed: unknown
  try {
    parsed = parse(text)
  } catch (error) {
    throw new ScenarioError(path, (error as Error).message.split('\n')[0]!.replace(/:$/, ''))
  }
  const file = scenarioFileSchema.safeParse(parsed ?? {})
  if (!file.success) throw new ScenarioError(path, describeIssue(file.error.issues[0]!, scenarioFileSchema))
  return file.data
}

function complete(name: string, file: ScenarioFile, base: (name: string) => Scenario): Scenario {
  const { extends: names = [], vices: chosen, live, ...rest } = file
  const [first, ...others] = [names].flat().map(base)
  const own = {
    ...rest,
    ...(chosen === undefined ? {} : { vices: chosen === 'all' ? [...vices] : chosen }),
    ...(live === undefined ? {} : { live: live.vices === 'all' ? { ...live, vices: [...liveVices] } : live }),
  }
  const joined = first === undefined ? {} : compose(name, first, ...others)
  const whole = scenarioSchema.safeParse(merged(joined, { ...own, name }))
  if (!whole.success) throw new ScenarioError(`${name}.yaml`, describeIssue(whole.error.issues[0]!, scenarioSchema))
  return whole.data
}

/** What the second says, and where it says nothing the first. Lists are not joined. */
function merged(under: object, over: object): object {
  const result: Record<string, unknown> = { ...under }
  for (const [key, value] of Object.entries(over) as [string, unknown][]) {
    const below = result[key]
    result[key] = isGroup(value) && isGroup(below) ? merged(below, value) : value
  }
  return result
}
