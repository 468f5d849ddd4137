/** The heap of this process, once it is that of many peers. */
import { setFlagsFromString } from 'node:v8'

/** From so many peers on the memory is spent. At fifty the slowest lease took 0.3 s without it, at 300 each marking 0.75 to 1.3 s. */
const peersMany = 100

/**
 * V8 marks all of the heap each time that some 64 MiB of buffers came since it last did, however large the heap is, and marks in
 * haste: nothing else has a turn. One peer marks its own heap in milliseconds, and seldom. Hundreds of peers on one heap each
 * waited for about a second, every four to seven, for the buffers of the others; measured at 300 peers with `--trace-gc`. With this the heap
 * is marked when it has grown by a share of itself, which is every half minute there, and takes up to twice the memory.
 */
export function shareHeap(peers: number): void {
  if (peers >= peersMany) setFlagsFromString('--external-memory-accounted-in-global-limit')
}
