/**
 * Keys of node files that are published elsewhere, so that such a file can serve as a config.yaml. What has a counterpart
 * here is taken; what has none is accepted and named, so that nobody believes it to have an effect.
 */
import { didYouMean } from './nearest.ts'
import type { SettingName } from './settings.ts'

export interface PublishedSettings {
  /** `value`: text, or texts where the setting is a list. */
  readonly settings: readonly {
    readonly setting: SettingName
    readonly key: string
    readonly value: string | string[]
  }[]
  readonly withoutEffect: readonly string[]
}

interface Counterpart {
  readonly setting: SettingName
  /** As the setting has it; undefined when it is not what such a key holds. */
  read(said: unknown): string | string[] | undefined
  /** What it is to hold. */
  readonly holds: string
}

const numberPattern = /^\d+(\.\d+)?$/
const quantity = (setting: SettingName, suffix: string): Counterpart => ({
  setting,
  read: (said) => (typeof said === 'string' && numberPattern.test(said) ? `${said}${suffix}` : undefined),
  holds: 'a number',
})

const either = (setting: SettingName): Counterpart => ({
  setting,
  read: (said) => (said === 'true' || said === 'false' ? said : undefined),
  holds: 'true or false',
})

/** Null: lawful, and without effect here. */
const groups: Readonly<Record<string, Readonly<Record<string, Counterpart | null>>>> = {
  node_settings: {
    node_name: null,
    reward_address: {
      setting: 'rewardAddress',
      read: (said) => (typeof said === 'string' ? said : undefined),
      holds: 'an address',
    },
  },
  shared_resources: {
    cpu_cores: quantity('cpu', ''),
    ram_gb: quantity('memory', 'G'),
    storage_gb: quantity('storage', 'G'),
    gpus: {
      setting: 'gpu',
      read: (said) => {
        if (!Array.isArray(said)) return undefined
        const texts = said.map(gpuText)
        return texts.includes(undefined) ? undefined : (texts as string[])
      },
      holds: 'a list of GPUs with model and vram_gb',
    },
  },
  network_config: {
    max_upload_mbps: quantity('bandwidthUp', 'Mbit/s'),
    max_download_mbps: quantity('bandwidthDown', 'Mbit/s'),
    p2p_port: quantity('port', ''),
    enable_tee: either('tee'),
  },
  staking: {
    min_stake_amount: quantity('bond', ''),
    auto_stake_rewards: either('bondGrows'),
  },
}

/** Whatever else stands there is of a chain, of which there is none here; what is nearly one of ours is a misspelt one all the same. */
const openGroup = 'staking'

/** `{ model: RTX 4090, vram_gb: 24, count: 2 }`. */
function gpuText(gpu: unknown): string | undefined {
  if (typeof gpu !== 'object' || gpu === null) return undefined
  const { model, vram_gb: memory, count = '1' } = gpu as Readonly<Record<string, unknown>>
  if (typeof model !== 'string' || typeof memory !== 'string' || typeof count !== 'string') return undefined
  return numberPattern.test(memory) ? `${model}:${memory}G:${count}` : undefined
}

export const publishedGroups: readonly string[] = Object.keys(groups)

/** What a top-level key of such a file says; undefined when it is none of theirs. */
export function publishedSettings(key: string, value: unknown): PublishedSettings | { problem: string } | undefined {
  const group = Object.hasOwn(groups, key) ? groups[key] : undefined
  if (group === undefined) return undefined
  if (typeof value !== 'object' || value === null) return { problem: `${key} holds no keys` }
  const found: { setting: SettingName; key: string; value: string | string[] }[] = []
  const withoutEffect: string[] = []
  for (const [inner, said] of Object.entries(value)) {
    const name = `${key}.${inner}`
    const counterpart = Object.hasOwn(group, inner) ? group[inner] : undefined
    const nearest = counterpart === undefined ? didYouMean(inner, Object.keys(group)) : ''
    if (counterpart === undefined && (key !== openGroup || nearest !== '')) {
      return { problem: `${name} is not a key${nearest}` }
    }
    if (counterpart === undefined || counterpart === null) {
      withoutEffect.push(name)
      continue
    }
    const read = counterpart.read(said)
    if (read === undefined) return { problem: `${name} is not ${counterpart.holds}` }
    if (read.length > 0) found.push({ setting: counterpart.setting, key: name, value: read })
  }
  return { settings: found, withoutEffect }
}
