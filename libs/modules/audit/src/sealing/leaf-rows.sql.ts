import { statement, type Transaction } from '@holdfast/database';
import type { LeafRow } from './leaf';

/** What is read next of a tenant: what `later` shows and `earlier` does not, behind `afterSeq`. */
export interface Span {
  readonly tenantId: string;
  readonly earlier: string;
  readonly later: string;
  readonly afterSeq: bigint;
  readonly limit: number;
  /** Bytes of payloads; the last row may lie over it. */
  readonly bytesMax: number;
}

/** What was read of a span, in the order of `seq`. */
export interface SpanPage {
  readonly rows: readonly LeafRow[];
  /** Whether the span may go on behind the last row. */
  readonly isCut: boolean;
}

type SpanRow = LeafRow & { readonly place: bigint; readonly bytes: bigint };

// Each column as `LeafRow` has it: in a session of ours, which runs in UTC, the text of a row is always the same.
const READ = statement<SpanRow>(
  'audit.read_spans',
  `select r.place, r.bytes, r.seq::text, r.xid, r.tenant_id, r.id, r.stream_type, r.stream_id, r.stream_version, r.type,
     r.schema_version, r.actor, r.act, r.correlation_id, r.causation_id, r.traceparent, r.occurred_at, r.data
   from (
     select p.place, p.bytes_max, e.*, sum(octet_length(e.data)) over (partition by p.place order by e.seq) as bytes
     from unnest($1::uuid[], $2::pg_snapshot[], $3::pg_snapshot[], $4::bigint[], $5::int[], $6::bigint[]) with ordinality
       p (tenant_id, earlier, later, after_seq, page, bytes_max, place)
     cross join lateral (
       select e.seq, e.xid::text, e.tenant_id::text, e.id::text, e.stream_type, e.stream_id::text,
         e.stream_version::text, e.type, e.schema_version, e.actor, e.act, e.correlation_id, e.causation_id, e.traceparent,
         audit.instant_text(e.occurred_at) as occurred_at, e.data::text
       from events.read_tenant_span(p.tenant_id, p.earlier, p.later, p.after_seq, p.page) e) e) r
   where r.bytes - octet_length(r.data) < r.bytes_max
   order by r.place, r.seq`,
);

/** Reads a page of each span; answers them in the order of the spans. */
export async function readSpans(tx: Transaction, spans: readonly Span[]): Promise<SpanPage[]> {
  const column = <Key extends keyof Span>(key: Key): Span[Key][] => spans.map((span) => span[key]);
  const rows = await tx.rows(READ, [
    column('tenantId'),
    column('earlier'),
    column('later'),
    column('afterSeq'),
    column('limit'),
    column('bytesMax'),
  ]);
  const byPlace = Map.groupBy(rows, ({ place }) => Number(place) - 1);
  return spans.map(({ limit, bytesMax }, place) => {
    const ofSpan = byPlace.get(place) ?? [];
    const isCut = ofSpan.length >= limit || Number(ofSpan.at(-1)?.bytes ?? 0) >= bytesMax;
    return { rows: ofSpan, isCut };
  });
}
