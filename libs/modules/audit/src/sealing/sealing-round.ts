import { setImmediate as yieldNow } from 'node:timers/promises';
import type { SystemTx } from '@holdfast/database';
import type { Unsigned } from './checkpoint-signer';
import { entryLeaf, eventLeaf, GrowingTree, type NewLeaf } from './growing-tree';
import { epochEntry } from './leaf';
import { readSpans, type Span, type SpanPage } from './leaf-rows.sql';
import type { SealedLineage } from './sealer-lease.sql';
import type { SealingLook } from './sealing-look.sql';
import type { SignerMemory } from './signer-memory';
import type { BegunTree, DueTenant, Tree, TreeChange } from './trees.sql';

/** What was read of a tenant. */
export interface TenantPage {
  readonly tenant: DueTenant;
  readonly rows: SpanPage['rows'];
  readonly isCut: boolean;
}

/** A tree as a round makes it. */
export interface GrownTree {
  readonly change: TreeChange;
  readonly growing: GrowingTree;
  readonly unsigned: Unsigned;
  /** Where the tree begins with this round. */
  readonly begun: BegunTree | undefined;
  readonly eventCount: number;
}

/** What every reader may begin with: this snapshot shows nothing. */
const BEGINNING = '1:1:';
/** Events of a round: their rows, hashes and tiles are some 30 MB. */
const ROUND_ROWS = 16_384;
const PAGE_ROWS = 4_096;
/** Bytes of payloads of a round's first pages, and of its second ones as well. */
const ROUND_BYTES = 32 * 1_048_576;
/** Rows that are hashed before others in the process have their turn: some 2 ms. */
const TURN_ROWS = 64;

/** Reads a page of each tenant; those that have more share what is left of the round. */
export async function readPages(
  tx: SystemTx,
  due: readonly DueTenant[],
  look: SealingLook,
  pageRows: number = PAGE_ROWS,
): Promise<TenantPage[]> {
  if (due.length === 0) return [];
  const limit = Math.min(pageRows, Math.max(1, Math.floor(ROUND_ROWS / due.length)));
  const bytesMax = Math.floor(ROUND_BYTES / due.length);
  const spans = due.map(({ tenantId, tree }): Span => ({ ...spanOf(tenantId, tree, look), limit, bytesMax }));
  const first = await readSpans(tx, spans);
  const cut = first.flatMap((page, at) => (page.isCut ? [at] : []));
  const left = ROUND_ROWS - first.reduce((sum, { rows }) => sum + rows.length, 0);
  const share = Math.min(pageRows, Math.floor(left / Math.max(1, cut.length)));
  const further = new Map<number, SpanPage>();
  if (share >= limit && pageRows === PAGE_ROWS) {
    const bytes = Math.floor(ROUND_BYTES / cut.length);
    const again = cut.map((at) => behind(spans[at] as Span, first[at] as SpanPage, share, bytes));
    const second = await readSpans(tx, again);
    cut.forEach((at, place) => further.set(at, second[place] as SpanPage));
  }
  return due.map((tenant, at) => {
    const page = first[at] as SpanPage;
    const next = further.get(at);
    return { tenant, rows: next ? [...page.rows, ...next.rows] : page.rows, isCut: (next ?? page).isCut };
  });
}

function spanOf(
  tenantId: string,
  tree: Tree | undefined,
  look: SealingLook,
): Omit<Span, 'limit' | 'bytesMax'> {
  return {
    tenantId,
    earlier: tree?.earlier ?? BEGINNING,
    later: tree?.later ?? look.snapshot,
    afterSeq: tree?.later ? tree.afterSeq : 0n,
  };
}

function behind(span: Span, { rows }: SpanPage, limit: number, bytesMax: number): Span {
  return { ...span, afterSeq: BigInt(rows.at(-1)?.seq ?? span.afterSeq), limit, bytesMax };
}

/**
 * The tree of a tenant that has none: without a leaf yet. Where the signer remembers one, it is the next epoch's, and its entry
 * names what was signed last.
 */
export function begin(tenantId: string, lineage: SealedLineage, memory: SignerMemory): BegunTree {
  const last = memory.newest(tenantId);
  const epoch = (last?.epoch ?? 0) + 1;
  const tree = {
    tenantId,
    epoch,
    lineage: lineage.epoch,
    size: 0,
    earlier: BEGINNING,
    later: null,
    afterSeq: 0n,
    tick: 0n,
  };
  const previous = last ? { checkpoint: last.note, kept: '0' } : null;
  return { tree, entry: epochEntry({ tenantId, epoch, previous }) };
}

/** Makes the leaves of a page, and the tree that has them. Lets others of the process have their turn in between. */
export async function grow(
  page: TenantPage,
  from: GrowingTree,
  look: SealingLook,
  begun: BegunTree | undefined,
): Promise<GrownTree | undefined> {
  const before = begun?.tree ?? page.tenant.tree;
  if (!before) return undefined;
  const leaves: NewLeaf[] = begun ? [entryLeaf(begun.entry)] : [];
  for (const [at, row] of page.rows.entries()) {
    if (at % TURN_ROWS === TURN_ROWS - 1) await yieldNow();
    leaves.push(eventLeaf(row));
  }
  const { tree: growing, tiles, leaves: parts } = from.append(leaves);
  const after = { ...before, ...cursorBehind(page, before, look), size: growing.size };
  const [oldest] = page.rows;
  return {
    change: { before, after, tiles, leaves: parts },
    growing,
    begun,
    eventCount: page.rows.length,
    unsigned: {
      tenantId: after.tenantId,
      epoch: after.epoch,
      size: growing.size,
      root: growing.root(),
      oldestAtMs: oldest && Date.parse(oldest.occurred_at),
    },
  };
}

/** Where the page ends: within its range, or at the end of it. */
function cursorBehind(
  { rows, isCut, tenant }: TenantPage,
  before: Tree,
  look: SealingLook,
): Pick<Tree, 'earlier' | 'later' | 'afterSeq' | 'tick'> {
  const later = before.later ?? look.snapshot;
  if (isCut) {
    const afterSeq = BigInt(rows.at(-1)?.seq ?? before.afterSeq);
    return { earlier: before.earlier, later, afterSeq, tick: before.tick };
  }
  // A range that took several rounds ends where the log was at its beginning: what came since makes the tenant due again.
  if (before.later) return { earlier: later, later: null, afterSeq: 0n, tick: before.tick };
  // So does a tick that came between the look, whose snapshot ends the range, and the list of who is due.
  const tick = tenant.headTick < look.tick ? tenant.headTick : look.tick;
  return { earlier: later, later: null, afterSeq: 0n, tick };
}
