import { parseCheckpoint, parseNote, verifySignatures } from '@holdfast/tlog';
import { treeVerifierKey } from '../sealing/log-keys';

/** A root that somebody says a tree has at a size: a stored checkpoint, one that was kept, the signer's memory. */
export interface RootClaim {
  readonly epoch: number;
  readonly size: number;
  readonly root: Buffer;
  /** Who says so, as a sentence begins with it. */
  readonly by: string;
}

/** A checkpoint that was read from its note. */
export interface ReadCheckpoint {
  readonly origin: string;
  readonly size: number;
  readonly root: Buffer;
  /** Undefined if no trusted key signed it, false if what is there in the name of one is no signature. */
  readonly isSigned: boolean | undefined;
}

/** The name of the log, the tenant and the epoch that an origin is made of. */
export function partsOfOrigin(origin: string): {
  readonly log: string;
  readonly tenantId: string;
  readonly epoch: number;
} {
  const [epoch = '', tenantId = '', ...log] = origin.split('/').toReversed();
  return { log: log.toReversed().join('/'), tenantId, epoch: Number(epoch) };
}

/** Reads a checkpoint and verifies it with public keys of 32 bytes; undefined if the note is none. */
export function readCheckpoint(note: string, publicKeys: readonly Buffer[]): ReadCheckpoint | undefined {
  try {
    const { text, signatures } = parseNote(note);
    const { origin, size, root } = parseCheckpoint(text);
    const { log, tenantId, epoch } = partsOfOrigin(origin);
    const keys = publicKeys.map((key) => treeVerifierKey(log, { tenantId, epoch }, key));
    return { origin, size: Number(size), root, isSigned: signedBy(text, signatures, keys) };
  } catch {
    return undefined; // Whatever is wrong with it: it is no checkpoint.
  }
}

function signedBy(
  text: string,
  signatures: Parameters<typeof verifySignatures>[1],
  keys: Parameters<typeof verifySignatures>[2],
): boolean | undefined {
  try {
    return verifySignatures(text, signatures, keys).signatures.length > 0 ? true : undefined;
  } catch {
    return false; // One in the name of a key that did not make it.
  }
}
