/**
 * Keys of node files that are published elsewhere, so that such a file can serve as a config.yaml. What has a counterpart
 * here is taken; what has none is accepted and named, so that nobody believes it to have an effect.
 */
import { didYouMean } from './nearest.ts'
import type { SettingName } from './settings.ts'

export interface PublishedSettings {
  readonly settings: readonly { readonly setting: SettingName; readonly key: string; readonly text: string }[]
  readonly withoutEffect: readonly string[]
}

interface Counterpart {
  readonly setting: SettingName
  /** What turns the number into a quantity. */
  readonly suffix: string
}

/** Null: lawful, and without effect here. */
const groups: Readonly<Record<string, Readonly<Record<string, Counterpart | null>>>> = {
  node_settings: { node_name: null, reward_address: null },
  shared_resources: {
    cpu_cores: { setting: 'cpu', suffix: '' },
    ram_gb: { setting: 'memory', suffix: 'G' },
    storage_gb: { setting: 'storage', suffix: 'G' },
    gpus: null,
  },
  network_config: {
    max_upload_mbps: { setting: 'bandwidthUp', suffix: 'Mbit/s' },
    max_download_mbps: { setting: 'bandwidthDown', suffix: 'Mbit/s' },
    p2p_port: { setting: 'port', suffix: '' },
    enable_tee: null,
  },
}

/** Groups and keys that are lawful whatever they hold. */
const ignored = ['reward_address', 'staking']

export const publishedGroups: readonly string[] = [...Object.keys(groups), ...ignored]

/** What a top-level key of such a file says; undefined when it is none of theirs. */
export function publishedSettings(key: string, value: unknown): PublishedSettings | { problem: string } | undefined {
  if (ignored.includes(key)) return { settings: [], withoutEffect: [key] }
  const group = Object.hasOwn(groups, key) ? groups[key] : undefined
  if (group === undefined) return undefined
  if (typeof value !== 'object' || value === null) return { problem: `${key} holds no keys` }
  const found: { setting: SettingName; key: string; text: string }[] = []
  const withoutEffect: string[] = []
  for (const [inner, said] of Object.entries(value)) {
    const name = `${key}.${inner}`
    const counterpart = Object.hasOwn(group, inner) ? group[inner] : undefined
    if (counterpart === undefined) return { problem: `${name} is not a key${didYouMean(inner, Object.keys(group))}` }
    if (counterpart === null) withoutEffect.push(name)
    else if (typeof said !== 'string' || !/^\d+(\.\d+)?$/.test(said)) return { problem: `${name} is not a number` }
    else found.push({ setting: counterpart.setting, key: name, text: `${said}${counterpart.suffix}` })
  }
  return { settings: found, withoutEffect }
}
