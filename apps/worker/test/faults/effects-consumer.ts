import { setTimeout as sleep } from 'node:timers/promises';
import { statement } from '@holdfast/database';
import { Consumer, type RecordedEvent, type TenantConsumer } from '@holdfast/events';
import type { TenantTx } from '@holdfast/tenancy';

const COUNT = statement(
  'test.count_effects',
  `insert into probe.effects as e (tenant_id, event_id, times)
   select $1, id, count(*) from unnest($2::uuid[]) id group by id
   on conflict (tenant_id, event_id) do update set times = e.times + excluded.times`,
);
const FOLD = statement(
  'test.fold_streams',
  `insert into probe.folds as f (tenant_id, stream_id, versions)
   select $1, stream_id, array_agg(version order by place)
   from unnest($2::uuid[], $3::bigint[]) with ordinality page (stream_id, version, place)
   group by stream_id
   on conflict (tenant_id, stream_id) do update set versions = f.versions || excluded.versions`,
);

const FORGET_EFFECTS = statement('test.forget_effects', 'delete from probe.effects where tenant_id = $1');
const FORGET_FOLDS = statement('test.forget_folds', 'delete from probe.folds where tenant_id = $1');

/** What fails on purpose does so for as long as faults strike; how soon the rest is through is measured. */
export const FAILING_MS = 20_000;

/** What a page fails with on purpose, behind its effect: it is undone, and with it what it has written. */
class OnPurpose extends Error {
  override readonly name = 'OnPurpose';
}

/**
 * An effect of which it can be told afterwards how often and in which order each event caused it: a count per event, and
 * the versions of each stream one after the other as they came. A doubled event counts 2, an inverted one stands in the
 * wrong place, and nothing here is idempotent.
 */
@Consumer({
  group: 'effects',
  kind: 'tenant',
  events: ['probe.key.moved'],
  key: 'stream',
  // Some fail for several times on purpose, and none is to be given up.
  retry: { attemptsMax: 60, baseMs: 50, capMs: 1_000 },
  from: 'beginning',
  replay: 'reset',
})
export class EffectsConsumer implements TenantConsumer {
  private readonly healthyAtMs = performance.now() + FAILING_MS;

  /** `failing` is the share of pages that fail behind their effect at first; `paceMs` is how long each takes. */
  constructor(
    private readonly failing: number,
    private readonly paceMs: number,
  ) {}

  async deliver(tx: TenantTx, events: readonly RecordedEvent[]): Promise<void> {
    await tx.execute(COUNT, [tx.tenantId, events.map(({ id }) => id)]);
    const versions = events.map(({ streamVersion }) => streamVersion);
    await tx.execute(FOLD, [tx.tenantId, events.map(({ streamId }) => streamId), versions]);
    if (this.paceMs > 0) await sleep(this.paceMs);
    if (performance.now() < this.healthyAtMs && Math.random() < this.failing)
      throw new OnPurpose('on purpose');
  }

  async reset(tx: TenantTx): Promise<void> {
    await tx.execute(FORGET_EFFECTS, [tx.tenantId]);
    await tx.execute(FORGET_FOLDS, [tx.tenantId]);
  }
}
