import { parseProofFile, TILE_WIDTH, TlogError, type VerifierKey, verifyProofFile } from '@holdfast/tlog';
import { z } from 'zod';
import { readPruningNotice } from './pruning-notice';

/** Leaves that stand one behind the other. */
export interface LeafRange {
  readonly from: number;
  to: number;
}

/** Whose log it is, and with which keys its proofs are verified. */
export interface ServedTree {
  readonly epoch: number;
  readonly tenantId: string;
  readonly origin: string;
  readonly keys: readonly VerifierKey[];
}

const noticesSchema = z.object({
  data: z.array(z.object({ id: z.string() })),
  nextCursor: z.string().nullable(),
});
const entrySchema = z.looseObject({
  type: z.string(),
  actor: z.string(),
  act: z.string().nullable(),
  data: z.unknown(),
});

/** The newest notice says most. Before it may be those of other epochs, and those that came with an export. */
const NOTICES_MAX = 20;

/**
 * What the log itself says of entries that are not served. They are served by the tile, and of a tile with a row that is gone none
 * is: what stayed of it, notices of the retention included, is known by its hash, or by a proof of its own.
 */
export class ServedRetention {
  private prunedTo = 0;
  private readonly missed: LeafRange[] = [];

  constructor(private readonly tree: ServedTree) {}

  /** Notes a leaf whose entry is not served. */
  miss(at: number): void {
    const last = this.missed.at(-1);
    if (last?.to === at - 1 && at % TILE_WIDTH !== 0) last.to = at;
    else this.missed.push({ from: at, to: at });
  }

  /** Takes an entry that hashes to its leaf; false for one that says what only the retention may, of leaves before it. */
  see(at: number, entry: Uint8Array): boolean {
    const text = Buffer.from(entry).toString();
    if (!text.includes('"audit.log.pruned"')) return true;
    const { success, data: event } = entrySchema.safeParse(JSON.parse(text));
    if (!success || event.type !== 'audit.log.pruned') return true;
    const { epoch, tenantId } = this.tree;
    const notice = readPruningNotice({ actor: event.actor, act: event.act, tenantId }, event.data);
    if (notice === 'foreign') return true;
    if (!notice || notice.epoch > epoch || (notice.epoch === epoch && notice.prunedTo > at)) return false;
    if (notice.epoch === epoch) this.prunedTo = Math.max(this.prunedTo, notice.prunedTo);
    return true;
  }

  /** Asks for proofs of notices whose entries are not served themselves, as long as some leaf is not explained. */
  async prove(get: (path: string) => Promise<Buffer>): Promise<void> {
    let after = '';
    for (let asked = 0; asked < NOTICES_MAX && this.unexplained().length > 0; asked += 1) {
      const page = await get(`/v1/audit/events?type=audit.log.pruned&limit=1${after}`);
      const { data, nextCursor } = noticesSchema.parse(JSON.parse(page.toString()));
      for (const { id } of data) this.seeProof(await get(`/v1/audit/events/${id}/proof`));
      if (nextCursor === null) return;
      after = `&after=${encodeURIComponent(nextCursor)}`;
    }
  }

  /** Leaves whose entries are not served for a reason that the log knows. */
  explained(): LeafRange[] {
    return this.missed.filter(({ from }) => from < this.prunedTo);
  }

  unexplained(): LeafRange[] {
    return this.missed.filter(({ from }) => from >= this.prunedTo);
  }

  /** A proof that is none, or of another log, explains nothing. */
  private seeProof(file: Buffer): void {
    const { origin, keys: logKeys } = this.tree;
    try {
      const { extra: entry = Buffer.alloc(0) } = parseProofFile(file);
      const { index } = verifyProofFile(file, { entry }, { origin, logKeys });
      this.see(Number(index), entry);
    } catch (error) {
      if (!(error instanceof TlogError)) throw error;
    }
  }
}
