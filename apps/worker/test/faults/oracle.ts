import { setTimeout as sleep } from 'node:timers/promises';
import type { TelemetryStore } from '@holdfast/clickhouse';
import type { TestDatabase } from '@holdfast/testing';
import { readCopies } from './copies-consumer';
import type { Entry } from './journal';

/** What the journal says against what is there. Every list is empty and every number zero when all is well. */
export interface Verdict {
  /** Events of an acknowledged transaction that the log lacks, and events of a refused one that it has. */
  readonly lost: number;
  readonly undead: number;
  /** Events without an effect, and with more than one. */
  readonly missing: number;
  readonly doubled: number;
  /** Streams whose effects came in another order than their commits. */
  readonly inverted: number;
  /** By how much the counts of the group `usage` are off. */
  readonly usage: number;
  /** By how much ClickHouse is off, as its readers count. */
  readonly store: number;
  /** Events that the group `copies` lacks or has too often, and those that came in another order than their commits. */
  readonly copies: number;
  readonly copiesInverted: number;
  /** Ticks of a leader behind a tick of its successor. */
  readonly fenced: number;
}

const SOUND: Verdict = {
  lost: 0,
  undead: 0,
  missing: 0,
  doubled: 0,
  inverted: 0,
  usage: 0,
  store: 0,
  copies: 0,
  copiesInverted: 0,
  fenced: 0,
};

type Effects = Pick<Verdict, 'missing' | 'doubled' | 'inverted' | 'usage' | 'fenced'>;
const EFFECTS = `
  with wanted as (select id from events.log where tenant_id = any ($1::uuid[]) and type = 'probe.key.moved')
  select
    (select count(*) from wanted w where not exists (select from probe.effects e where e.event_id = w.id))::int as missing,
    (select count(*) from probe.effects e where tenant_id = any ($1::uuid[])
       and (times > 1 or not exists (select from wanted w where w.id = e.event_id)))::int as doubled,
    (select count(*) from probe.folds f where tenant_id = any ($1::uuid[])
       and versions <> array(select generate_series(1, cardinality(versions))::bigint))::int as inverted,
    (select count(*) from wanted)::int
      - (select coalesce(sum(event_count), 0) from tenants.usage_counts
         where tenant_id = any ($1::uuid[]) and event_type = 'probe.key.moved')::int as usage,
    (select count(*) from (select fence < lag(fence) over (order by id) as behind from events.ticks) t where behind)::int
      as fenced`;

/** Where the oracle looks. */
export interface Sources {
  readonly database: TestDatabase;
  readonly telemetry: TelemetryStore;
  readonly journal: readonly Entry[];
  /** The file of the group `copies`. */
  readonly copies: string;
}

/** Compares the journal, the log, the effects, the usage counts, ClickHouse, the copies and the ticks. */
export async function judge({ database, telemetry, journal, copies }: Sources): Promise<Verdict> {
  const tenantIds = [...new Set(journal.map(({ tenantId }) => tenantId))];
  const idsOf = (outcome: Entry['outcome']): string[] =>
    journal.filter((entry) => entry.outcome === outcome).flatMap(({ moves }) => moves.map(({ id }) => id));
  const logged = new Set(
    (
      await database.admin<{ id: string }>('select id from events.log where tenant_id = any ($1::uuid[])', [
        tenantIds,
      ])
    ).map(({ id }) => id),
  );
  const [effects] = await database.admin<Effects>(EFFECTS, [tenantIds]);
  let stored = 0;
  for (const tenantId of tenantIds) stored += await countStored(telemetry, tenantId);
  const { ids, inverted } = readCopies(copies);
  const copied = new Set(ids);
  if (!effects) throw new Error('the oracle has no answer');
  return {
    ...effects,
    lost: idsOf('ok').filter((id) => !logged.has(id)).length,
    undead: idsOf('failed').filter((id) => logged.has(id)).length,
    store: logged.size - stored,
    copies: ids.length - copied.size + [...logged].filter((id) => !copied.has(id)).length,
    copiesInverted: inverted,
  };
}

/** Events of a tenant that readers of ClickHouse find. */
export async function countStored(telemetry: TelemetryStore, tenantId: string): Promise<number> {
  const text = `select count() as events from telemetry.tenant_events(tenant_id = {tenant_id:UUID})
    where type = 'probe.key.moved'`;
  const [row] = await telemetry.read<{ events: string }>(tenantId, { text }, {});
  return Number(row?.events);
}

/** Waits until nothing lags, and answers how long that took in milliseconds; what is wrong behind the bound is thrown. */
export async function untilSound(sources: Sources, boundMs: number): Promise<number> {
  const startedAt = performance.now();
  for (;;) {
    const verdict = await judge(sources);
    const tookMs = performance.now() - startedAt;
    // What has doubled or is out of order stays so.
    const isFinal =
      verdict.doubled +
        verdict.inverted +
        verdict.copiesInverted +
        verdict.fenced +
        verdict.lost +
        verdict.undead >
      0;
    if (isFinal || tookMs > boundMs) expect(verdict).toEqual(SOUND);
    if (JSON.stringify(sorted(verdict)) === JSON.stringify(sorted(SOUND))) return Math.round(tookMs);
    await sleep(100);
  }
}

function sorted(verdict: Verdict): [string, number][] {
  return (Object.entries(verdict) as [string, number][]).toSorted(([one], [other]) =>
    one.localeCompare(other),
  );
}
