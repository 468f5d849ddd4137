/** Where a run happened: what ran, and on what. */
import { readFileSync } from 'node:fs'
import { availableParallelism, totalmem } from 'node:os'

import own from '../../package.json' with { type: 'json' }
import type { RunRecord } from './record.ts'

export function machine(): RunRecord['machine'] {
  return { cores: availableParallelism(), memoryBytes: totalmem() }
}

/** libp2p only where it took part. */
export function versions(withLibp2p: boolean): RunRecord['versions'] {
  return { pleach: own.version, node: process.versions.node, libp2p: withLibp2p ? libp2pVersion() : null }
}

function libp2pVersion(): string | null {
  try {
    const text = readFileSync(new URL('../../node_modules/libp2p/package.json', import.meta.url), 'utf8')
    return (JSON.parse(text) as { readonly version: string }).version
  } catch {
    return null
  }
}
