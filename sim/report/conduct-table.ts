/** Who was caught, and whether anybody honest was accused: the same table for the model and for live peers. */
import type { Table } from './record.ts'

export interface Caught {
  readonly peers: number
  readonly caught: number
}

export function conductTable(
  byVice: Iterable<readonly [vice: string, caught: Caught]>,
  honest: number,
  honestAccused: number,
): Table {
  return {
    kind: 'table',
    name: 'dishonest',
    title: 'Dishonest peers caught, honest ones accused',
    unit: '',
    read: 'a dishonest peer counts as caught when at least one honest peer holds a fault against it; not to be there is no fault that anybody can prove, and the last row must be zero.',
    columns: ['vice', 'peers', 'accused', 'share'],
    rows: [
      ...Array.from(byVice, ([vice, { peers, caught }]) => [vice, peers, caught, percent(caught, peers)]),
      ['none: honest', honest, honestAccused, percent(honestAccused, honest)],
    ],
  }
}

function percent(part: number, all: number): string {
  return all === 0 ? '0 %' : `${Number(((100 * part) / all).toFixed(1))} %`
}
