/** The heap of this process, once it is that of many peers. */
import { setFlagsFromString } from 'node:v8'

/** From so many peers on marking the heap takes long enough to be noticed: 0.15 s at fifty, 0.8 s at 300. */
const peersMany = 100

/**
 * V8 marks all of the heap each time that some 64 MiB of buffers came since it last did, however large the heap is, and marks in
 * haste: nothing else has a turn. One peer marks its own heap in milliseconds, and seldom. Hundreds of peers on one heap each
 * waited for a second, every five, for the buffers of the others; measured at 300 peers with `--trace-gc`. With this the heap
 * is marked when it has grown by a share of itself, which is every half minute there, and takes up to twice the memory.
 */
export function shareHeap(peers: number): void {
  if (peers >= peersMany) setFlagsFromString('--external-memory-accounted-in-global-limit')
}
