import { type TelemetryStatement, TelemetryStore } from '@holdfast/clickhouse';
import { TenantQuery } from '@holdfast/cqrs';
import { type IQueryHandler, QueryHandler } from '@nestjs/cqrs';
import { z } from 'zod';
import { ingestCountView, overRestarts } from './ingest-counts';
import { rangeInput, rowsRange } from './telemetry-range';

/** Over which range. */
export const telemetryIngestInput = z.strictObject(rangeInput);

/** A sample of what was refused, at most one a second and reason. */
export const badRowView = z.object({
  id: z.guid(),
  at: z.string().meta({ description: 'RFC 3339, UTC.' }),
  keyId: z.guid().meta({ description: 'The write key.' }),
  reason: z.string(),
  sample: z.string().meta({ description: 'The beginning of its text.' }),
});

/** A tenant's accounting of ingest. */
export const telemetryIngestAnswer = z.object({
  data: z.array(ingestCountView),
  badRows: z.array(badRowView),
});

/** A tenant's accounting of ingest. */
export type TelemetryIngestView = z.output<typeof telemetryIngestAnswer>;

/**
 * What became of the events that the tenant sent within the range, as ingest counted it each minute: received + recovered = dropped
 * at the door + stored + dropped + in flight + spilled of each lane. And the fifty newest samples of what was refused.
 *
 * A process that is killed does not tell its last minute: what it had in memory when it last told stays in flight, whether it was lost or
 * stored since.
 */
export class TelemetryIngest extends TenantQuery<z.output<typeof telemetryIngestInput>, TelemetryIngestView> {
  readonly scope = 'telemetry:read';
}

interface CountRow {
  readonly lane: string;
  readonly outcome: string;
  readonly reason: string;
  readonly counted: string;
}

// Lanes, outcomes and reasons are a few dozen; 200 are more than there can be.
const COUNTS: TelemetryStatement<CountRow> = {
  text: `select lane, outcome, reason, sum(events) as counted
    from telemetry.tenant_ingest_minutes(tenant_id = {tenant_id:UUID})
    where at >= parseDateTime64BestEffort({from:String}, 6, 'UTC')
      and at < parseDateTime64BestEffort({to:String}, 6, 'UTC')
    group by lane, outcome, reason
    having counted != 0
    order by lane, outcome, reason
    limit 200`,
};

interface BadRow {
  readonly id: string;
  readonly at: string;
  readonly key_id: string;
  readonly reason: string;
  readonly sample: string;
}

const BAD_ROWS: TelemetryStatement<BadRow> = {
  text: `select id, at, key_id, reason, sample
    from telemetry.tenant_bad_rows(tenant_id = {tenant_id:UUID})
    where at >= parseDateTime64BestEffort({from:String}, 6, 'UTC')
      and at < parseDateTime64BestEffort({to:String}, 6, 'UTC')
    order by at desc, id desc
    limit 50`,
};

@QueryHandler(TelemetryIngest)
export class TelemetryIngestHandler implements IQueryHandler<TelemetryIngest> {
  constructor(private readonly store: TelemetryStore) {}

  async execute({ caller, input }: TelemetryIngest): Promise<TelemetryIngestView> {
    const range = { ...rowsRange(input, Date.now()) };
    const counts = await this.store.read(caller, COUNTS, range);
    const badRows = await this.store.read(caller, BAD_ROWS, range);
    return {
      data: overRestarts(counts.map(({ counted, ...place }) => ({ ...place, count: Number(counted) }))),
      badRows: badRows.map(({ key_id: keyId, ...row }) => ({ ...row, keyId })),
    };
  }
}
