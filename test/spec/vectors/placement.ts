/** Where shards are: records, messages, and the leaves that an audit asks for. */
import {
  encodePlacement,
  encodePlacementMessage,
  placementBytesMax,
  placementClockSkewMsMax,
  placementTermMsMax,
  placementType,
  sealPlacement,
  type Placement,
} from '../../../protocols/placement/index.ts'
import { cidOfDocument, microMax, sealEnvelope, sha256 } from '../../../protocols/wire/index.ts'
import { startMs } from '../../negotiate/parties.ts'
import { bad, good, type VectorFile } from './cases.ts'
import { asker, network, stranger, worker } from './kinds.ts'

const object = cidOfDocument(Uint8Array.of(0xa0))
const full: Placement = {
  object,
  sequence: 7,
  issuedMs: startMs,
  expiresMs: startMs + 86_400_000,
  withdrawn: false,
  page: 0,
  pages: 2,
  places: [
    { shard: 0, keeper: worker.signer.peer, keepUntilMs: startMs + 86_400_000 },
    { shard: 255, keeper: stranger.signer.peer, keepUntilMs: microMax },
  ],
}
const context = { nowMs: startMs + 1_000 }
const record = (over: Partial<Placement>) => sealPlacement(asker.signer, network, { ...full, ...over })
const payload = (bytes: Uint8Array) => sealEnvelope(asker.signer, network, placementType, bytes)
const place = full.places[0]!
const dossier = { manifest: Uint8Array.of(0xa0), records: [record({}), record({ page: 1 })] }

const placement: VectorFile = {
  what: 'Placement records and messages (protocols/placement/README.md), and which leaves an audit draws.',
  cases: [
    good('placement', 'all there is to say', record({}), context),
    good('placement', 'withdrawn', record({ withdrawn: true, places: [], pages: 1, sequence: 8 }), context),
    good('placement', 'as long as may be', record({ expiresMs: startMs + placementTermMsMax }), context),
    good('placement', 'issued as far ahead as is borne', record({}), { nowMs: startMs - placementClockSkewMsMax }),
    bad('placement', 'from the future', 'FIELD_INVALID', record({}), { nowMs: startMs - placementClockSkewMsMax - 1 }),
    bad('placement', 'expired', 'FIELD_INVALID', record({}), { nowMs: full.expiresMs }),
    bad(
      'placement',
      'a term too long',
      'FIELD_INVALID',
      record({ expiresMs: startMs + placementTermMsMax + 1 }),
      context,
    ),
    bad('placement', 'a page beyond the last', 'FIELD_INVALID', record({ page: 2 }), context),
    bad('placement', 'too many pages', 'FIELD_INVALID', record({ pages: 9 }), context),
    bad(
      'placement',
      'a shard that there cannot be',
      'FIELD_INVALID',
      record({ places: [{ ...place, shard: 256 }] }),
      context,
    ),
    bad('placement', 'withdrawn, with places', 'FIELD_INVALID', record({ withdrawn: true }), context),
    bad(
      'placement',
      'too many places',
      'FIELD_INVALID',
      record({ places: Array.from({ length: 65 }, () => place) }),
      context,
    ),
    bad('placement', 'too long', 'FRAME_TOO_LARGE', payload(new Uint8Array(placementBytesMax)), context),
    bad('placement', 'no hash of a manifest', 'FIELD_INVALID', payload(encodePlacement(full).subarray(34)), context),
    good('placing', 'ask', encodePlacementMessage({ say: 'ask', object })),
    good('placing', 'dossier', encodePlacementMessage({ say: 'dossier', ...dossier })),
    good(
      'placing',
      'dossier with cached shards',
      encodePlacementMessage({ say: 'dossier', ...dossier, cached: [0, 3, 255] }),
    ),
    bad(
      'placing',
      'a cached shard twice',
      'FIELD_INVALID',
      encodePlacementMessage({ say: 'dossier', ...dossier, cached: [3, 3] }),
    ),
    bad(
      'placing',
      'a cached shard that there cannot be',
      'FIELD_INVALID',
      encodePlacementMessage({ say: 'dossier', ...dossier, cached: [256] }),
    ),
    good('placing', 'tell', encodePlacementMessage({ say: 'tell', ...dossier, advertise: true })),
    good('placing', 'kept', encodePlacementMessage({ say: 'kept' })),
    good('placing', 'claim', encodePlacementMessage({ say: 'claim', object, forMs: 600_000 })),
    good('placing', 'claimed', encodePlacementMessage({ say: 'claimed', forMs: 0 })),
    good(
      'placing',
      'refused',
      encodePlacementMessage({ say: 'refused', refusal: { code: 'CLAIMED', facts: { forMs: 5 } } }),
    ),
    bad(
      'placing',
      'a claim too long',
      'FIELD_INVALID',
      encodePlacementMessage({ say: 'claim', object, forMs: 7_200_001 }),
    ),
    bad('placing', 'nothing', 'FIELD_INVALID', new Uint8Array()),
    ...[1, 32, 33, 100, 262_144].map((leaves) =>
      good('audit-draw', `of ${leaves}`, sha256(Uint8Array.of(leaves & 255)), {
        peer: worker.signer.peer,
        root: '5a'.repeat(32),
        leaves,
      }),
    ),
  ],
}

export const placementVectors = { placement }
