/** How a live peer may be dishonest, by name; what each does stands in a file of that name, or in spoken.ts. */
export const liveVices = [
  'over-meter',
  'over-charge',
  'withhold',
  'no-countersign',
  'under-pay',
  'no-show',
  'replay',
  'corrupt',
  'forge',
  'equivocate',
  'flood',
  'poison',
  'lazy',
  'lie',
  'freeload',
  'slow',
  'false-record',
  'sybil',
  'eclipse',
] as const
export type LiveVice = (typeof liveVices)[number]
