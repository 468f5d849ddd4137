/** What all records of the model have in common, whatever it was that lived. */
import { machine, versions } from './provenance.ts'
import type { RunRecord } from './record.ts'

export interface ModelRun {
  readonly scenario: { readonly name: string; readonly about: string }
  /** The first seed, and how many were lived from it on. */
  readonly seed: number
  readonly lives: number
  readonly command: string
  readonly wallMs: number
  readonly stubs: readonly string[]
}

export function modelFrame(run: ModelRun): Omit<RunRecord, 'assertions' | 'numbers' | 'figures'> {
  const { scenario, seed, lives, command, wallMs, stubs } = run
  const { name, about } = scenario
  return {
    v: 1,
    scenario: { name, about, config: JSON.parse(JSON.stringify(scenario)) as RunRecord['scenario']['config'] },
    seed,
    lives,
    tier: 'model',
    boot: null,
    command,
    versions: versions(false),
    machine: machine(),
    wallMs,
    stubs: [...stubs],
    valid: lives > 0,
    invalidBecause: lives > 0 ? null : 'not one life was lived',
  }
}
