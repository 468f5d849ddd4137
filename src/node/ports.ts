/** What a simulator puts in the place of a part of a peer that is slow, or outside of the process. In production all are left out. */
import type { Fault, PeerName } from '../../protocols/wire/index.ts'
import type { readHardware } from '../discovery/hardware.ts'
import type { Files } from '../environment.ts'
import type { Executor } from '../execution/executor.ts'
import type { createHost, KeyValue, MakeLibp2p, OpenedIdentity } from '../host/index.ts'
import type { Store } from '../ledger/store.ts'
import type { Mill } from '../storage/mill.ts'

export interface PeerPorts {
  /** Who the peer is, in the place of the key file. */
  readonly identity?: OpenedIdentity
  /** What the host remembers, in the place of a file. */
  readonly memory?: KeyValue
  /** The host, of other parts: another transport, other limits. */
  readonly createHost?: typeof createHost
  /** What makes its libp2p node, of the options that it is given. */
  readonly libp2p?: MakeLibp2p
  /** What runs programs: one for all peers of a process, since its probe runs one. */
  readonly executor?: Executor
  /** What encrypts, codes and hashes: one for all peers of a process, since each would have threads of its own. */
  readonly mill?: Mill
  /** What the machine is built of, in the place of asking the system. */
  readonly readHardware?: typeof readHardware
  /** The disk, as far as shards and objects go: one that is full, say. */
  readonly files?: Files
  /** Opens the ledger: one whose disk can be full. */
  readonly openLedger?: (...args: Parameters<typeof Store.open>) => Store
  /** Room on the disk that is kept for the ledger; 0: none, as in a world of hundreds of peers on one disk. */
  readonly reserveBytes?: number
  /** How often keepers are asked for receipts of storage: a test does not wait for an hour. */
  readonly receiptsEveryMs?: number
  /** How often our own record is read, and one put where we lend nothing: a test does not wait for ten minutes. */
  readonly lookForOwnEveryMs?: number
  /** Told of each fault that this peer holds against another. */
  readonly onFault?: (peer: PeerName, fault: Fault) => void
  /** Resolves when others may be told what the peer lends. In production that is at once. */
  readonly mayPublish?: Promise<void>
  /** Resolves when the network may be told by gossip as well. In production that is at once. */
  readonly mayAnnounce?: Promise<void>
  /** False: that peers are in one network says nothing of what befalls them, since all of a world may be. */
  readonly networksMatter?: boolean
}
