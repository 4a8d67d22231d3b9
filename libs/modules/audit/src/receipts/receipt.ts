import type { CommittedEvent } from '@holdfast/kernel';
import { canonicalJson, Frontier, leafHash } from '@holdfast/tlog';
import { z } from 'zod';
import { receiptKeyId } from './receipt-key';

const digest = z.string().regex(/^[\w-]{43}$/);

const receiptEvent = z.strictObject({
  id: z.guid().exactOptional(),
  type: z.string(),
  stream: z.strictObject({
    type: z.string(),
    id: z.guid(),
    version: z.string().regex(/^\d+$/).exactOptional(),
  }),
  dataSha256: digest.exactOptional(),
});

const head = {
  v: z.literal(1),
  kind: z.literal('receipt'),
  tenantId: z.guid(),
  requestId: z.string(),
  at: z.iso.datetime(),
  keyId: receiptKeyId,
};

/** What a receipt says: a request was answered with these events in the tenant's log; FORMAT.md has the members. */
export const receipt = z.union([
  z.strictObject({ ...head, events: z.array(receiptEvent).min(1) }),
  z.strictObject({ ...head, count: z.int().min(1), root: digest }),
]);
export type Receipt = z.output<typeof receipt>;

/** Who answers which request, with which key. */
export interface ReceiptHead {
  readonly tenantId: string;
  readonly requestId: string;
  readonly keyId: string;
}

/**
 * Bytes of a receipt that names its events. Twice in base64 and with what proves it, the header has at most 4 KB then, which
 * is what proxies give all headers of an answer by default.
 */
const ENTRY_BYTES_MAX = 1_600;
/** Of more events than these the text is longer in any case, and is not tried. */
const NAMED_MAX = 12;

/** The canonical JSON of a receipt: the names of all events, or, of many, their number and the root over their lines. */
export function receiptEntry(
  { tenantId, requestId, keyId }: ReceiptHead,
  at: Date,
  events: readonly CommittedEvent[],
): string {
  const members = { v: 1, kind: 'receipt', tenantId, requestId, at: at.toISOString(), keyId };
  if (events.length <= NAMED_MAX) {
    const entry = canonicalJson({ ...members, events });
    if (Buffer.byteLength(entry) <= ENTRY_BYTES_MAX) return entry;
  }
  const root = rootOfLines(events).toString('base64url');
  return canonicalJson({ ...members, count: events.length, root });
}

/** The root of RFC 6962 over the lines of events, in the order of their bytes: whoever asked does not know in which they committed. */
export function rootOfLines(events: readonly CommittedEvent[]): Buffer {
  const lines = Frontier.empty();
  for (const line of events.map(receiptLine).toSorted()) lines.append(leafHash(line));
  return lines.root();
}

/**
 * The line of an event: canonical JSON of type and stream alone, which whoever sent the request can tell from it and its
 * answer. Ids, and what is under a digest, are the server's.
 */
export function receiptLine({ type, stream }: CommittedEvent): string {
  return canonicalJson({ stream, type });
}
