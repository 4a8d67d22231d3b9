import type { CommittedEvent } from '@holdfast/kernel';
import { statement } from '@holdfast/database';
import { committedEventOfRow, type LoggedEventRow, type TenantTx } from '@holdfast/tenancy';
import { transferReversed } from '../ledger.events';

/** Where the event of an earlier posting stands: its type is there once. */
export type PostedStream = Pick<CommittedEvent, 'type' | 'stream'>;

const LIST = statement<LoggedEventRow>(
  'ledger.list_posted_events',
  `select l.id, l.type, l.stream_type, l.stream_id, l.stream_version, l.data::text as data
   from unnest($2::text[], $3::uuid[], $4::text[]) with ordinality w (stream_type, stream_id, type, place)
   join events.log l on l.tenant_id = $1 and l.stream_type = w.stream_type and l.stream_id = w.stream_id and l.type = w.type
   order by w.place
   limit 8000`,
);

/** The events of earlier postings as the log has them, in this order; those that it does not have are left out. */
export async function listPostedEvents(
  tx: TenantTx,
  streams: readonly PostedStream[],
): Promise<CommittedEvent[]> {
  const each = (pick: (one: PostedStream) => string): string[] => streams.map(pick);
  const values = [
    each(({ stream }) => stream.type),
    each(({ stream }) => stream.id),
    each(({ type }) => type),
  ];
  const events = (await tx.rows(LIST, [tx.tenantId, ...values])).map(committedEventOfRow);
  // The first receipt of a reversal has no version either, and the lines of both are the same.
  return events.map((event) =>
    event.type === transferReversed.type
      ? { ...event, stream: { type: event.stream.type, id: event.stream.id } }
      : event,
  );
}
