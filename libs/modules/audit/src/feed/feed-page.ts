import { encodeJson } from '@holdfast/kernel';
import type { TenantTx } from '@holdfast/tenancy';
import { z } from 'zod';
import { discloseTo } from '../disclosures/disclose';
import { auditEventView, showAuditEvent } from '../trail/audit-event-view';
import { type FeedEpoch, findEvents, listEpochs, listLeaves } from './feed.sql';

/** Where a reader stands: the next leaf that it has not had. */
export interface FeedPosition {
  readonly epoch: number;
  readonly index: bigint;
}

/** One line of the feed: a leaf of the sealed log, or several whose events are gone. */
export const feedLineView = z.object({
  kind: z.enum(['event', 'epoch', 'pruned', 'missing']).meta({
    description:
      'An `event`; the beginning of an `epoch` of the log; events that were `pruned` by the retention; or an event whose row is ' +
      '`missing` although nothing was to remove it, which `holdfast audit verify` looks into.',
  }),
  epoch: z.int(),
  index: z.string().meta({ description: 'The leaf in the log of the epoch, in decimal digits.' }),
  cursor: z.string().meta({ description: 'Goes on behind this line.' }),
  event: auditEventView.optional(),
  entry: z.string().optional().meta({ description: 'Of an epoch the text of its first leaf.' }),
  count: z.int().optional().meta({ description: 'How many were pruned from `index` on.' }),
  eventId: z.guid().optional().meta({ description: 'Of the event that is missing.' }),
});

/** One line of the feed. */
export type FeedLine = z.output<typeof feedLineView>;

/** A part of the feed, and where it goes on. */
export interface FeedPage {
  readonly lines: readonly FeedLine[];
  readonly next: FeedPosition;
}

/** Leaves that are read at a time: so many payloads are in memory. */
const LEAVES_AT_ONCE = 100n;
/** A page ends when it has so many characters, whatever its limit. */
const PAGE_MAX_CHARACTERS = 1_048_576;

/**
 * Up to `limit` leaves from a position on, of what is under a checkpoint. Every leaf is in exactly one line, in the order of
 * the log, and what is read is never changed by what is sealed meanwhile: so whoever goes on at `next` has each once.
 */
export async function readFeedPage(
  tx: TenantTx,
  from: FeedPosition,
  limit: number,
  cursorOf: (position: FeedPosition) => string,
): Promise<FeedPage> {
  const lines: FeedLine[] = [];
  let next = from;
  let characters = 0;
  for (let left = BigInt(limit); left > 0n && characters < PAGE_MAX_CHARACTERS;) {
    const step = await stepFrom(tx, next, left);
    if (!step) break;
    const { epoch, start, end } = step;
    for (const line of await linesOf(tx, epoch, start, end)) {
      const cursor = cursorOf({ epoch: epoch.epoch, index: BigInt(line.index) + BigInt(line.count ?? 1) });
      lines.push({ ...line, cursor });
      characters += encodeJson(line).length;
    }
    left -= end - start;
    next = { epoch: epoch.epoch, index: end };
  }
  return { lines, next };
}

interface Step {
  readonly epoch: FeedEpoch;
  readonly start: bigint;
  readonly end: bigint;
}

/** The leaves that come next, in this epoch or, where it is over, the one behind it. Undefined at the end. */
async function stepFrom(
  tx: TenantTx,
  { epoch, index }: FeedPosition,
  left: bigint,
): Promise<Step | undefined> {
  for (const tree of await listEpochs(tx, epoch)) {
    const start = tree.epoch === epoch ? index : 0n;
    const most = left < LEAVES_AT_ONCE ? left : LEAVES_AT_ONCE;
    const end = start + most < tree.size ? start + most : tree.size;
    if (start < end) return { epoch: tree, start, end };
  }
  return undefined;
}

type BareLine = Omit<FeedLine, 'cursor'>;

async function linesOf(tx: TenantTx, epoch: FeedEpoch, start: bigint, end: bigint): Promise<BareLine[]> {
  const ids = await listLeaves(tx, epoch.epoch, start, end);
  const events = new Map((await discloseTo(tx, await findEvents(tx, ids))).map((row) => [row.id, row]));
  const lines: BareLine[] = [];
  for (let index = start; index < end; index += 1n) {
    const id = ids[Number(index - start)];
    const place = { epoch: epoch.epoch, index: index.toString() };
    const event = id === undefined ? undefined : events.get(id);
    const last = lines.at(-1);
    if (index === 0n) lines.push({ kind: 'epoch', ...place, entry: epoch.entry });
    else if (event) lines.push({ kind: 'event', ...place, event: showAuditEvent(event) });
    else if (index >= epoch.pruned_to) lines.push({ kind: 'missing', ...place, ...(id && { eventId: id }) });
    else if (last?.kind === 'pruned') lines.splice(-1, 1, { ...last, count: (last.count ?? 0) + 1 });
    else lines.push({ kind: 'pruned', ...place, count: 1 });
  }
  return lines;
}
