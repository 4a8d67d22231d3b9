import { hash } from 'node:crypto';
import { type Checkpoint, parseCheckpoint } from './checkpoint';
import { emptyRoot, sameHash } from './hashing';
import type { SignerKey, VerifierKey } from './note-keys';
import { formatNote, formatSignature, parseNote } from './note-text';
import { verifyConsistency } from './proof-verification';
import { addSignatures, openNote, signText } from './signed-note';
import { TlogError } from './tlog.errors';
import { type AddCheckpoint, parseAddCheckpoint, SIZE_CONTENT_TYPE } from './witness-protocol';

/** What a witness answers, for whatever serves HTTP. */
export interface WitnessResponse {
  readonly status: 200 | 400 | 403 | 404 | 409 | 422;
  readonly contentType: string;
  readonly body: string;
}

interface Cosigned {
  readonly checkpoint: Checkpoint;
  readonly note: string;
}

const TEXT = 'text/plain; charset=utf-8';
const refuse = (status: WitnessResponse['status'], why: string): WitnessResponse => ({
  status,
  contentType: TEXT,
  body: `${why}\n`,
});

/**
 * A witness, c2sp.org/tlog-witness: it remembers the latest checkpoint of each log that it cosigned, and cosigns only what
 * is consistent with that.
 *
 * It remembers in memory, and so forgets when it ends: for tests and trials. Checking and remembering are one step without
 * a wait in between, so that two requests at a time cannot take it back.
 */
export class Witness {
  private readonly cosigned = new Map<string, Cosigned>();

  /** `logs` are the keys to trust by the origin of their log; `now` is in seconds since 1970. */
  constructor(
    private readonly key: SignerKey,
    private readonly logs: ReadonlyMap<string, readonly VerifierKey[]>,
    private readonly now = (): bigint => BigInt(Math.floor(Date.now() / 1000)),
  ) {
    if (key.type === 'ed25519') throw new TlogError('bad_argument', 'A witness has a key for cosignatures');
  }

  /** POST `<prefix>/add-checkpoint`. */
  addCheckpoint(body: Uint8Array | string): WitnessResponse {
    const request = orRefusal(() => parseAddCheckpoint(body), 400);
    if ('status' in request) return request;
    const { text } = parseNote(request.checkpoint);
    const checkpoint = parseCheckpoint(text);
    const keys = this.logs.get(checkpoint.origin);
    if (!keys) return refuse(404, 'This log is not known');
    const opened = orRefusal(() => openNote(request.checkpoint, keys), 403);
    if ('status' in opened) return opened;
    const refusal = refusalOf(request, checkpoint, this.cosigned.get(checkpoint.origin)?.checkpoint);
    if (refusal) return refusal;
    const signature = signText(text, this.key, this.now());
    const log = { text, signatures: opened.signatures };
    this.cosigned.set(checkpoint.origin, { checkpoint, note: addSignatures(formatNote(log), [signature]) });
    return { status: 200, contentType: TEXT, body: formatSignature(signature) };
  }

  /** GET `<prefix>/<origin hash>/checkpoint`: the latest of a log, cosigned. The hash is of the origin, in hex. */
  checkpoint(originHash: string): WitnessResponse {
    for (const [origin, { note }] of this.cosigned) {
      if (hash('sha256', origin) === originHash) return { status: 200, contentType: TEXT, body: note };
    }
    return refuse(404, 'No checkpoint of this log was cosigned');
  }
}

function orRefusal<Result>(read: () => Result, status: WitnessResponse['status']): Result | WitnessResponse {
  try {
    return read();
  } catch (error) {
    if (error instanceof TlogError) return refuse(status, error.message);
    throw error;
  }
}

/** Why the witness does not cosign what the log signed, in the order of the specification; undefined if it does. */
function refusalOf(
  { oldSize, proof }: AddCheckpoint,
  { size, root }: Checkpoint,
  latest: Checkpoint | undefined,
): WitnessResponse | undefined {
  if (oldSize > size) return refuse(400, 'The old size is larger than the checkpoint');
  const known = latest?.size ?? 0n;
  if (oldSize !== known) return { status: 409, contentType: SIZE_CONTENT_TYPE, body: `${known}\n` };
  if (size === 0n && !sameHash(root, emptyRoot()))
    return refuse(422, 'The root is not that of an empty tree');
  if (oldSize === 0n || !latest)
    return proof.length > 0 ? refuse(422, 'From nothing there is no proof') : undefined;
  const claim = { oldSize, oldRoot: latest.root, newSize: size, newRoot: root, proof };
  const result = orRefusal(() => verifyConsistency(claim), 422);
  return result && 'status' in result ? result : undefined;
}
