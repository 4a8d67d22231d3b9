import { NotFound } from '@holdfast/kernel';
import { Readings, TenantQuery } from '@holdfast/cqrs';
import { statement } from '@holdfast/database';
import { TenantDatabase, type TenantTx } from '@holdfast/tenancy';
import { encodeEntryBundle, TILE_WIDTH } from '@holdfast/tlog';
import { type IQueryHandler, QueryHandler } from '@nestjs/cqrs';
import { eventEntry, type LeafRow } from '../sealing/leaf';
import { getCheckpoint } from './checkpoint.query';
import { EntriesMissing, EntriesPruned } from './log.errors';
import { type OfTile, requireSigned, tileNamed } from './log-tile.query';

/**
 * The entries of a tile of leaves, made anew from what is stored: whoever has the tile sees whether it is what was sealed.
 * Throws NotFound, NotSealed, EntriesPruned, EntriesMissing.
 */
export class EntryBundle extends TenantQuery<Omit<OfTile, 'level'>, Buffer> {
  readonly scope = 'audit:read';
}

interface BundleRow {
  readonly place: number;
  readonly epoch_entry: string | null;
  readonly is_pruned: boolean;
  /** Null where the row is gone. */
  readonly event: LeafRow | null;
}

// One JSON object for each event: its members are PostgreSQL's own texts of the columns, and the payload one of them.
const LIST_ENTRIES = statement<BundleRow>(
  'audit.list_entries',
  `select n.place::int as place,
     case when v.tile = 0 and n.place = 1 then o.entry end as epoch_entry,
     v.tile * 256 + n.place - 1 < o.pruned_to as is_pruned,
     case when e.id is not null then jsonb_build_object(
       'seq', e.seq::text, 'xid', e.xid::text, 'tenant_id', e.tenant_id, 'id', e.id, 'stream_type', e.stream_type,
       'stream_id', e.stream_id, 'stream_version', e.stream_version::text, 'type', e.type,
       'schema_version', e.schema_version, 'actor', e.actor, 'act', e.act, 'correlation_id', e.correlation_id,
       'causation_id', e.causation_id, 'traceparent', e.traceparent,
       'occurred_at', audit.instant_text(e.occurred_at), 'data', e.data::text) end as event
   from audit.leaves v
   join audit.epochs o on o.tenant_id = $1 and o.epoch = $2
   cross join lateral unnest(v.event_ids[1:$4]) with ordinality n (id, place)
   left join events.log e on e.tenant_id = $1 and e.id = n.id
   where v.tenant_id = $1 and v.epoch = $2 and v.tile = $3
   order by n.place
   limit 256`,
);

@QueryHandler(EntryBundle)
export class EntryBundleHandler implements IQueryHandler<EntryBundle> {
  constructor(
    private readonly tenants: TenantDatabase,
    private readonly readings: Readings,
  ) {}

  async execute({ caller, input }: EntryBundle): Promise<Buffer> {
    const { index, width } = tileNamed({ ...input, level: 'entries' });
    const entries = await this.tenants.reading(caller, async (tx) => {
      const { epoch, size } = await getCheckpoint(tx, input);
      requireSigned(size, 0, { index, width });
      return readEntries(tx, { epoch, index, width });
    });
    // Entries are events: whoever reads them reads the trail.
    await this.readings.record(caller, { what: 'entries', of: [input.tile] });
    return encodeEntryBundle(entries);
  }
}

/** The first `width` entries of a tile of leaves, in the order of the log. Throws NotFound, EntriesPruned, EntriesMissing. */
export async function readEntries(
  tx: TenantTx,
  {
    epoch,
    index,
    width = TILE_WIDTH,
  }: { readonly epoch: number; readonly index: number; readonly width?: number },
): Promise<Buffer[]> {
  const rows = await tx.rows(LIST_ENTRIES, [tx.tenantId, epoch, index, width]);
  if (rows.length < width) throw new NotFound();
  const gone = rows.filter(({ epoch_entry: entry, event }) => entry === null && event === null);
  if (gone.some((row) => !row.is_pruned)) throw new EntriesMissing();
  if (gone.length > 0) throw new EntriesPruned();
  return rows.map(({ epoch_entry: entry, event }) => Buffer.from(entry ?? eventEntry(event as LeafRow)));
}
