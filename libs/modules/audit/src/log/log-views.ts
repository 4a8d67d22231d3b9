import { z } from 'zod';
import type { SignedCheckpoint } from './checkpoint.query';
import type { ConsistencyProof } from './consistency.query';
import type { EventProof } from './event-proof';

const countView = z.string().meta({ description: 'A whole number.', examples: ['1234'] });
const epochNumberView = z.string().meta({ description: 'A whole number, from 1.', examples: ['1'] });
const hashView = z.string().meta({ description: 'SHA-256 in base64.' });
const noteView = z.string().meta({
  description: 'A signed note (c2sp.org/tlog-checkpoint), with the cosignatures that there are for its size.',
});

/** An epoch of the log on the wire. */
export const epochView = z.object({
  epoch: epochNumberView,
  size: countView.meta({ description: 'Leaves that are under a signed checkpoint.' }),
  begunAt: z.iso.datetime(),
  prunedTo: countView.meta({
    description: 'Events of leaves below this may have been removed by the retention.',
  }),
  entry: z.string().meta({
    description: 'The entry of leaf 0, canonical JSON: it names the last checkpoint of the epoch before.',
  }),
});

/** An epoch of the log on the wire. */
export type EpochView = z.output<typeof epochView>;

/** A checkpoint on the wire. */
export const checkpointView = z.object({ epoch: epochNumberView, size: countView, note: noteView });

/** A checkpoint on the wire. */
export type CheckpointView = z.output<typeof checkpointView>;

/** Shows a checkpoint. */
export function showCheckpoint({ epoch, size, note }: SignedCheckpoint): CheckpointView {
  return { epoch: String(epoch), size: String(size), note };
}

/** The parts of a proof file on the wire. */
export const proofView = z.object({
  epoch: epochNumberView,
  index: countView.meta({ description: 'Of the leaf.' }),
  entry: z.string().meta({ description: 'What the leaf is the hash of: canonical JSON of the event.' }),
  leafHash: hashView,
  proof: z.array(hashView).meta({ description: 'From the sibling of the leaf upwards.' }),
  checkpoint: noteView,
});

/** The parts of a proof file on the wire. */
export type ProofView = z.output<typeof proofView>;

/** Shows a proof. */
export function showProof({ epoch, index, entry, leafHash, proof, checkpoint }: EventProof): ProofView {
  return {
    epoch: String(epoch),
    index: String(index),
    entry,
    leafHash: base64(leafHash),
    proof: proof.map(base64),
    checkpoint,
  };
}

/** A consistency proof on the wire. */
export const consistencyView = z.object({
  epoch: epochNumberView,
  from: countView,
  to: countView,
  oldRoot: hashView.meta({
    description: 'Of the tree of `from` leaves: what your older checkpoint has to say.',
  }),
  newRoot: hashView.meta({ description: 'Of the tree of `to` leaves.' }),
  proof: z
    .array(hashView)
    .meta({ description: 'As RFC 6962 section 2.1.2 has it; empty from 0 and between equal sizes.' }),
  checkpoint: noteView,
});

/** A consistency proof on the wire. */
export type ConsistencyView = z.output<typeof consistencyView>;

/** Shows a consistency proof. */
export function showConsistency(proven: ConsistencyProof): ConsistencyView {
  const { epoch, from, to, oldRoot, newRoot, proof, checkpoint } = proven;
  return {
    epoch: String(epoch),
    from: String(from),
    to: String(to),
    oldRoot: base64(oldRoot),
    newRoot: base64(newRoot),
    proof: proof.map(base64),
    checkpoint,
  };
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}
