import { parseCheckpoint } from './checkpoint';
import type { VerifierKey } from './note-keys';
import { parseNote } from './note-text';
import { type Count, toBigInt } from './sizes';
import type { VerifiedSignature } from './signed-note';
import { check } from './tlog.errors';
import { formatAddCheckpoint, parseCosignatures, parseWitnessSize } from './witness-protocol';

/** What a transport answers. It has timed out, and cut off bodies larger than it takes, by itself. */
export interface WitnessAnswer {
  readonly status: number;
  readonly body: string;
}

/** POSTs a body to a URL: `fetch`, or whatever the caller's rules for outgoing requests are. What it throws passes through. */
export type WitnessTransport = (url: string, body: string) => Promise<WitnessAnswer>;

/** A witness as it is configured. */
export interface WitnessAddress {
  /** The submission prefix, without `/add-checkpoint`. */
  readonly url: string;
  readonly keys: readonly VerifierKey[];
}

/** What is offered to a witness. */
export interface CheckpointOffer {
  /** The signed checkpoint. */
  readonly checkpoint: string;
  /** Size of what the witness cosigned last, as far as the log knows; 0 if it does not. */
  readonly knownSize: Count;
  /** The consistency proof from a size to that of the checkpoint. */
  readonly proofFrom: (oldSize: bigint) => Promise<readonly Uint8Array[]>;
}

/**
 * What came of an offer.
 *
 * - `cosigned`: with the good signatures, for `addSignatures`.
 * - `ahead`: the witness cosigned a larger tree of this log before. Either this checkpoint is late, or the log has gone
 *   back: somebody has to look.
 * - `refused`: with the HTTP status: 403 the log's key is not trusted, 404 the log is not known, 422 the checkpoint is not
 *   consistent with what was cosigned; others are faults of the moment or of the transport.
 */
export type OfferOutcome =
  | { readonly outcome: 'cosigned'; readonly signatures: readonly VerifiedSignature[] }
  | { readonly outcome: 'ahead'; readonly size: bigint }
  | { readonly outcome: 'refused'; readonly status: number; readonly detail: string };

/** Offers at most: the size that a conflict tells may be outdated by another offer, though hardly twice. */
const ATTEMPTS_MAX = 3;

/** Characters of a refusal that are passed on. */
const DETAIL_LENGTH_MAX = 200;

/**
 * Offers a checkpoint to a witness (c2sp.org/tlog-witness), and again if the witness says that it is at another size than
 * `knownSize`. Throws what the transport and `proofFrom` throw, and `malformed_response`, `unsigned` and `bad_signature`
 * for an answer that is none.
 */
export async function offerCheckpoint(
  post: WitnessTransport,
  witness: WitnessAddress,
  { checkpoint, knownSize, proofFrom }: CheckpointOffer,
): Promise<OfferOutcome> {
  const { size } = parseCheckpoint(parseNote(checkpoint).text);
  const url = `${witness.url.replace(/\/+$/, '')}/add-checkpoint`;
  let oldSize = toBigInt(knownSize, 'The known size');
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    if (oldSize > size) return { outcome: 'ahead', size: oldSize };
    const proof = oldSize === 0n || oldSize === size ? [] : await proofFrom(oldSize);
    const { status, body } = await post(url, formatAddCheckpoint(oldSize, proof, checkpoint));
    if (status === 200) {
      return { outcome: 'cosigned', signatures: parseCosignatures(body, checkpoint, witness.keys) };
    }
    if (status !== 409) return { outcome: 'refused', status, detail: body.slice(0, DETAIL_LENGTH_MAX) };
    const told = parseWitnessSize(body);
    check(told !== oldSize, 'malformed_response', 'The witness refuses the size that it asks for');
    oldSize = told;
  }
  return {
    outcome: 'refused',
    status: 409,
    detail: `The witness is at another size each time, last ${oldSize}`,
  };
}
