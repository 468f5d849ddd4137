/** Why nobody took a job: every known provider with the first requirement it fails. */
import type { KnownCapability } from '../../protocols/capability/index.ts'
import { formatMicro } from '../../protocols/wire/index.ts'
import type { MatchExplanation } from '../control/api.ts'
import type { JobTerms } from '../market/terms.ts'

interface Requirement {
  readonly name: string
  fits(record: KnownCapability): boolean
  /** The flag with which this provider would pass. */
  relax(record: KnownCapability): string | null
  /** How far this provider is from passing: the least is the nearest. */
  distance(record: KnownCapability): number
}

export function explainNoMatch(
  terms: JobTerms,
  known: readonly KnownCapability[],
  reachable: number,
  answered: number,
): MatchExplanation {
  const requirements = requirementsOf(terms)
  const rows = requirements.map((requirement) => {
    const first = known.filter((record) => requirements.find((candidate) => !candidate.fits(record)) === requirement)
    const only = known.filter(
      (record) =>
        !requirement.fits(record) && requirements.every((other) => other === requirement || other.fits(record)),
    )
    const nearest = only.toSorted((left, right) => requirement.distance(left) - requirement.distance(right))[0]
    const relax = nearest === undefined ? null : requirement.relax(nearest)
    return { requirement: requirement.name, count: first.length, onlyThis: only.length, relax }
  })
  return { known: known.length, reachable, excluded: rows.filter((row) => row.count > 0), answered }
}

function requirementsOf({ requirements, cpuHourMicroMax, unit }: JobTerms): Requirement[] {
  const { runtime, cpuMilli, memoryBytes, wallMsMax } = requirements
  const mib = 1024 * 1024
  return [
    {
      name: `runtime ${runtime}`,
      fits: ({ capability }) => capability.runtimes.some((has) => has.name === runtime),
      relax: () => null,
      distance: () => 0,
    },
    {
      name: `cpu >= ${cpuMilli / 1000}`,
      fits: ({ capability }) => (capability.compute?.cpuMilli.value ?? 0) >= cpuMilli,
      relax: ({ capability }) => flagOf('--cpu', (capability.compute?.cpuMilli.value ?? 0) / 1000),
      distance: ({ capability }) => cpuMilli - (capability.compute?.cpuMilli.value ?? 0),
    },
    {
      name: `memory >= ${Math.ceil(memoryBytes / mib)}Mi`,
      fits: ({ capability }) => (capability.compute?.memoryBytes.value ?? 0) >= memoryBytes,
      relax: ({ capability }) =>
        flagOf('--memory', Math.floor((capability.compute?.memoryBytes.value ?? 0) / mib), 'Mi'),
      distance: ({ capability }) => memoryBytes - (capability.compute?.memoryBytes.value ?? 0),
    },
    {
      name: `time >= ${Math.ceil(wallMsMax / 1000)}s`,
      fits: ({ capability }) => (capability.compute?.wallMsMax ?? 0) >= wallMsMax,
      relax: ({ capability }) => flagOf('--timeout', Math.floor((capability.compute?.wallMsMax ?? 0) / 1000), 's'),
      distance: ({ capability }) => wallMsMax - (capability.compute?.wallMsMax ?? 0),
    },
    {
      name: `price <= ${formatMicro(cpuHourMicroMax)}/h`,
      fits: ({ capability }) =>
        capability.price !== null && capability.price.unit === unit && capability.price.cpuHourMicro <= cpuHourMicroMax,
      relax: ({ capability }) =>
        capability.price === null ? null : `--max-price ${formatMicro(capability.price.cpuHourMicro)}`,
      distance: ({ capability }) => (capability.price?.cpuHourMicro ?? 0) - cpuHourMicroMax,
    },
  ]
}

function flagOf(flag: string, value: number, unit = ''): string | null {
  return value > 0 ? `${flag} ${value}${unit}` : null
}
