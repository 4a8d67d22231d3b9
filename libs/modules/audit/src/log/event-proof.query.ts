import { type Caller, NotFound } from '@holdfast/kernel';
import { Readings, TenantQuery } from '@holdfast/cqrs';
import { statement } from '@holdfast/database';
import { TenantDatabase } from '@holdfast/tenancy';
import { type IQueryHandler, QueryHandler } from '@nestjs/cqrs';
import type { LeafRow } from '../sealing/leaf';
import { proveEvent, type EventProof } from './event-proof';
import { NotSealed } from './log.errors';

/** What GET /v1/audit/events/{id}/proof takes. */
export interface ProofChoice {
  readonly id: string;
  /** Under the largest checkpoint that a witness has cosigned, in place of the newest. */
  readonly witnessed?: boolean | undefined;
}

/** The proof that an event is in the tenant's log. Throws NotFound, NotSealed, EventAltered. */
export class ProofOfEvent extends TenantQuery<ProofChoice, EventProof> {
  readonly scope = 'audit:read';
}

/** What a proof is made of. Undefined leaves where the event has none. */
export interface ProofRow extends LeafRow {
  readonly epoch: number | null;
  readonly leaf_index: bigint | null;
  /** Of the checkpoint. */
  readonly size: bigint | null;
  readonly note: string | null;
  /** `<level>/<tile>/<width>` of each tile, and their hashes one behind the other in the same order. */
  readonly tiles: string[] | null;
  readonly hashes: Buffer | null;
}

// One round trip, and at most two tiles of a level: the one above the leaf, and the one at the right edge.
//
// An event stands in the first tile whose high_seq reaches its own, or, if it committed late, in one of those behind. A tile
// is looked into only where the range of its own seqs has the event's, and the walk ends after 4,096 tiles: a transaction
// ends after 30 s, in which a tenant does not write a million events. Epochs from the oldest, since a later one begins
// behind the seqs of those before.
//
// Tiles are asked for one by one, each by its whole key: as a join, a log that has grown faster than its statistics would
// have all of its tiles read for each proof.
export const FIND_PROOF = statement<ProofRow>(
  'audit.find_proof',
  `with event as materialized (
     select e.seq, e.seq::text as seq_text, e.xid::text as xid, e.tenant_id, e.id, e.stream_type, e.stream_id,
       e.stream_version::text as stream_version, e.type, e.schema_version, e.actor, e.act, e.correlation_id, e.causation_id,
       e.traceparent, audit.instant_text(e.occurred_at) as occurred_at, e.data::text as data
     from events.log e
     where e.tenant_id = $1 and e.id = $2
   ), leaf as materialized (
     select o.epoch, f.tile, f.tile * 256 + f.place - 1 as index
     from event v
     cross join (select p.epoch from audit.epochs p where p.tenant_id = $1 order by p.epoch limit 1000) o
     cross join lateral (
       select w.tile, array_position(w.event_ids, $2::uuid) as place
       from (
         select l.tile, l.event_ids, l.first_seq, l.last_seq, l.high_seq
         from audit.leaves l
         where l.tenant_id = $1 and l.epoch = o.epoch and l.high_seq >= v.seq
         order by l.high_seq
         limit 4096
       ) w
       where w.first_seq <= v.seq and w.last_seq >= v.seq and $2::uuid = any (w.event_ids)
       order by w.high_seq
       limit 1
     ) f
     order by o.epoch
     limit 1
   ), signed as materialized (
     select c.size, c.note
     from leaf f
     cross join lateral (
       (select n.size, n.note || coalesce((
          select string_agg(s.signatures, '' order by s.witness)
          from audit.cosignatures s where s.tenant_id = $1 and s.epoch = f.epoch and s.size = n.size
        ), '') as note
        from audit.checkpoints n
        where n.tenant_id = $1 and n.epoch = f.epoch and not $3::boolean
        order by n.hour desc
        limit 1)
       union all
       (select w.size, w.note || (
          select string_agg(s.signatures, '' order by s.witness)
          from audit.cosignatures s where s.tenant_id = $1 and s.epoch = f.epoch and s.size = w.size
        )
        from audit.cosignatures w
        where w.tenant_id = $1 and w.epoch = f.epoch and $3::boolean
        order by w.size desc
        limit 1)
     ) c
     where c.size > f.index
   ), named as materialized (
     select distinct g.level, t.tile
     from leaf f, signed s, generate_series(0, 6) g (level),
       lateral (values (f.tile >> (8 * g.level)), (s.size >> (8 * g.level + 8))) t (tile)
     where s.size >> (8 * g.level) > 0
   ), read as materialized (
     select string_agg(t.hashes, '' order by n.level, n.tile) as hashes,
       array_agg(n.level || '/' || n.tile || '/' || t.width order by n.level, n.tile) as tiles
     from leaf f
     cross join named n
     cross join lateral (
       select t.hashes, t.width
       from audit.tiles t
       where t.tenant_id = $1 and t.epoch = f.epoch and t.level = n.level and t.tile = n.tile
       limit 1
     ) t
   )
   select v.seq_text as seq, v.xid, v.tenant_id, v.id, v.stream_type, v.stream_id, v.stream_version, v.type, v.schema_version,
     v.actor, v.act, v.correlation_id, v.causation_id, v.traceparent, v.occurred_at, v.data,
     f.epoch, f.index as leaf_index, s.size, s.note, r.tiles, r.hashes
   from event v
   left join leaf f on true
   left join signed s on true
   left join read r on true`,
);

@QueryHandler(ProofOfEvent)
export class ProofOfEventHandler implements IQueryHandler<ProofOfEvent> {
  constructor(
    private readonly tenants: TenantDatabase,
    private readonly readings: Readings,
  ) {}

  async execute({ caller, input }: ProofOfEvent): Promise<EventProof> {
    const proof = await findProof(this.tenants, caller, input);
    // The event stands in its proof: whoever reads that reads the trail.
    await this.readings.record(caller, { what: 'proof', of: [input.id] });
    return proof;
  }
}

/** The proof, in one round trip. Throws NotFound, NotSealed, EventAltered. */
export async function findProof(
  tenants: TenantDatabase,
  caller: Caller,
  { id, witnessed = false }: ProofChoice,
): Promise<EventProof> {
  const [row] = await tenants.rows(caller, FIND_PROOF, [caller.tenantId, id, witnessed]);
  if (!row) throw new NotFound();
  const { epoch, leaf_index: index, size, note, tiles, hashes } = row;
  if (epoch === null || index === null || size === null || note === null) throw new NotSealed();
  return proveEvent(row, { epoch, index: Number(index), size: Number(size), note, tiles, hashes });
}
