/** A shard of 71 leaves, and the other peer of a transfer, played by the test: it speaks raw frames. */
import { concat } from 'uint8arrays'

import { MerkleTree, hashLeaf, leafLength } from '../../protocols/erasure/index.ts'
import {
  createTransfer,
  decodeTransfer,
  emptyShelf,
  encodeTransfer,
  transferLimits,
  transferProtocol,
  type ShardSource,
  type Shelf,
  type Timekeeper,
  type Transfer,
} from '../../protocols/transfer/index.ts'
import { Fault, type Channel } from '../../protocols/wire/index.ts'
import { realClock } from '../../src/environment.ts'
import { Switchboard } from '../support/channel-pair.ts'
import { signer } from '../support/peers.ts'

export const [client, keeper] = [signer(1).peer, signer(2).peer]
export const never = new AbortController().signal

export const shardBytes = 70 * 65_536 + 100
export const leaves = Array.from({ length: 71 }, (_, leaf) => new Uint8Array(leafLength(shardBytes, leaf)).fill(leaf))
export const tree = new MerkleTree(concat(leaves.map(hashLeaf)))
export const { root } = tree
export const allLeaves = leaves.map((_, leaf) => leaf)

export function block(leaf: number, bytes: Uint8Array = leaves[leaf]!): Extract<Transfer, { say: 'block' }> {
  return { say: 'block', leaf, bytes, proof: tree.proof(leaf) }
}

export const shardSource: ShardSource = {
  shardBytes,
  leaf: async (leaf) => ({ bytes: leaves[leaf]!, proof: tree.proof(leaf) }),
  close: async () => {},
}

export class Other {
  readonly channel: Channel

  constructor(channel: Channel) {
    this.channel = channel
  }

  async say(message: Transfer): Promise<void> {
    await this.channel.write(encodeTransfer(message), never)
  }

  async raw(bytes: Uint8Array): Promise<void> {
    await this.channel.write(bytes, never)
  }

  async hear(): Promise<Transfer | undefined> {
    const frame = await this.channel.read(never)
    return frame === undefined ? undefined : decodeTransfer(frame)
  }

  async close(): Promise<void> {
    await this.channel.close(never)
  }
}

/** One test's peers. Disposing breaks what is still open, so that nobody waits for a deadline. */
export class Stage implements Disposable {
  readonly board = new Switchboard()
  readonly #timekeeper: Timekeeper

  constructor(timekeeper: Timekeeper = realClock) {
    this.#timekeeper = timekeeper
  }

  [Symbol.dispose](): void {
    this.board.hangUp()
  }

  /** The client under test; the test plays the keeper. */
  async client(play: (other: Other) => Promise<void>) {
    await this.board
      .streamsOf(keeper)
      .handle(transferProtocol, transferLimits, async (channel) => play(new Other(channel)))
    return createTransfer({
      streams: this.board.streamsOf(client),
      timekeeper: this.#timekeeper,
      shelf: emptyShelf,
    })
  }

  /** Fetches leaves as the client under test, and gives back which came. */
  async get(play: (other: Other) => Promise<void>, wanted: readonly number[] = allLeaves, signal = never) {
    const got: number[] = []
    const service = await this.client(play)
    await service.get(keeper, root, shardBytes, wanted, async (leaf) => void got.push(leaf), signal)
    return got
  }

  /** The keeper under test; the test plays the client. */
  async keeper(shelf: Partial<Shelf>): Promise<Other> {
    const service = createTransfer({
      streams: this.board.streamsOf(keeper),
      timekeeper: this.#timekeeper,
      shelf: { ...emptyShelf, ...shelf },
    })
    await service.serve()
    return this.open()
  }

  /** Puts the shard; client and keeper are both under test. */
  async put(keepUntilMs: number, shelf: Partial<Shelf>, source: ShardSource = shardSource): Promise<number> {
    await this.keeper(shelf)
    const streams = this.board.streamsOf(client)
    const service = createTransfer({ streams, timekeeper: this.#timekeeper, shelf: emptyShelf })
    return service.put(keeper, root, source, keepUntilMs, never)
  }

  /** Another stream to the keeper under test. */
  async open(from = client): Promise<Other> {
    return new Other(await this.board.streamsOf(from).open(keeper, transferProtocol, transferLimits, never))
  }
}

export const isFault =
  (code: string) =>
  (error: unknown): boolean =>
    error instanceof Fault && error.code === code
