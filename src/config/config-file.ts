/**
 * `config.yaml`: the settings of settings.ts by name, in camelCase, snake_case or kebab-case. A key that is not a setting is
 * an error with the nearest name: a misspelt limit that is silently ignored is the worst of errors.
 */
import { ConfigError, exits } from './error.ts'
import { didYouMean } from './nearest.ts'
import { publishedGroups, publishedSettings } from './published-keys.ts'
import { settingNames, settings, type SettingName } from './settings.ts'
import { isGroup, readYaml } from './yaml-file.ts'

export interface ConfigFile {
  readonly path: string
  /** As text, to be read like flags and the environment. */
  readonly texts: ReadonlyMap<SettingName, readonly string[]>
  /** Keys of published node files that mean nothing to this peer. */
  readonly withoutEffect: readonly string[]
}

/** Undefined when there is no file. Throws a ConfigError BAD_CONFIG. */
export async function readConfigFile(path: string): Promise<ConfigFile | undefined> {
  const document = await readYaml(path, (why) => bad(path, why))
  if (document === undefined) return undefined
  if (document === '') return { path, texts: new Map(), withoutEffect: [] }
  if (!isGroup(document)) throw bad(path, 'it is not a list of keys and values')
  return readDocument(path, document)
}

function readDocument(path: string, document: Readonly<Record<string, unknown>>): ConfigFile {
  const texts = new Map<SettingName, readonly string[]>()
  const withoutEffect: string[] = []
  const set = (name: SettingName, key: string, value: unknown): void => {
    if (texts.has(name)) throw bad(path, `${key} says again what another key says: ${name}`)
    texts.set(name, textsOf(path, name, key, value))
  }
  for (const [key, value] of Object.entries(document)) {
    const name = settingNames.find((one) => one.toLowerCase() === plain(key))
    if (name !== undefined) {
      set(name, key, value)
      continue
    }
    const published = publishedSettings(key, value)
    if (published === undefined) {
      throw bad(path, `${key} is not a key${didYouMean(key, [...settingNames, ...publishedGroups])}`)
    }
    if ('problem' in published) throw bad(path, published.problem)
    for (const { setting, key: publishedKey, value: said } of published.settings) set(setting, publishedKey, said)
    withoutEffect.push(...published.withoutEffect)
  }
  return { path, texts, withoutEffect }
}

function textsOf(path: string, name: SettingName, key: string, value: unknown): readonly string[] {
  const { isList, isMap = false } = settings[name]
  const said = isMap && isGroup(value) ? Object.entries(value).map(([one, what]) => paired(one, what)) : value
  const values: unknown[] = Array.isArray(said) && isList ? said : [said]
  return values.map((one) => {
    if (typeof one === 'string') return one
    throw bad(path, `${key} is not ${isList ? 'a list of texts' : 'a text or a number'}`)
  })
}

/** What is no text makes the pair none, and is refused as such. */
function paired(name: string, value: unknown): unknown {
  return typeof value === 'string' ? `${name}:${value}` : value
}

/** `max_time`, `max-time` and `maxTime` are one name. */
function plain(key: string): string {
  return key.replaceAll(/[_-]/g, '').toLowerCase()
}

function bad(path: string, why: string): ConfigError {
  return new ConfigError({
    code: 'BAD_CONFIG',
    what: `${path} cannot be used`,
    why,
    cure: `edit ${path}`,
    exit: exits.usage,
  })
}
