import { formatCheckpoint, joinProofFile, leafHash, proveAll, signNote } from '@holdfast/tlog';
import type { ReceiptKey } from './receipt-key';

/** Receipts under one signature. Their proofs have 8 hashes at most then, and fit the header. */
const RECEIPTS_MAX = 256;

interface Due {
  readonly entry: string;
  readonly resolve: (file: string) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Signs all receipts that are due in one turn of the event loop at once: each is a leaf of a log of that turn alone, whose
 * checkpoint the process's key signs, and gets the proof of its own inclusion. A signature costs as much as a dozen hashes, and
 * a ledger that posts in batches answers a hundred requests in a turn.
 */
export class ReceiptTurns {
  private due: Due[] = [];

  constructor(private readonly key: ReceiptKey) {}

  /** The receipt as a proof file (c2sp.org/tlog-proof@v1) whose extra data are the entry. */
  sign(entry: string): Promise<string> {
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    if (this.due.length === 0) setImmediate(() => this.end());
    this.due.push({ entry, resolve, reject });
    if (this.due.length === RECEIPTS_MAX) this.end();
    return promise;
  }

  private end(): void {
    const due = this.due;
    this.due = [];
    try {
      for (const [index, file] of this.filesOf(due.map(({ entry }) => entry)).entries())
        due[index]?.resolve(file);
    } catch (error) {
      for (const { reject } of due) reject(error);
    }
  }

  private filesOf(entries: readonly string[]): string[] {
    if (entries.length === 0) return [];
    const { signer } = this.key;
    const { root, proofs } = proveAll(entries.map((entry) => leafHash(entry)));
    const checkpoint = signNote(formatCheckpoint({ origin: signer.name, size: entries.length, root }), [
      signer,
    ]);
    return entries.map((entry, index) =>
      joinProofFile({ index, proof: proofs[index] ?? [], checkpoint, extra: Buffer.from(entry) }),
    );
  }
}
