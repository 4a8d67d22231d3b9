import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import { Scene } from './scene';
import { queueKinds, Stage } from './stage';
import { buildProgram } from './worker-process';

/** A minute in a long run. */
const OPEN_MS = process.env['HOLDFAST_TEST_LONG'] ? 60_000 : 6_000;
/** From commit to effect while others are open: far above what it takes on a machine under load, far below how long they are open. */
const DELIVERED_WITHIN_MS = OPEN_MS / 3;

const KINDS = [
  [
    'an unrelated transaction that has written',
    ['begin', 'create temporary table scratch (id int)', 'select pg_current_xact_id()'],
  ],
  ['a REPEATABLE READ reader', ['begin isolation level repeatable read', 'select count(*) from events.log']],
] as const;

// Guards row 13 of the faults: delivery does not stall, and nothing is out of order.
describe('While a transaction is open', () => {
  let stage: Stage;
  let scene: Scene | undefined;
  beforeAll(async () => {
    buildProgram();
    stage = await Stage.open();
  });
  afterEach(async () => {
    await scene?.close();
    scene = undefined;
  });
  afterAll(() => stage.close());

  it.each(KINDS)('delivery goes on in order: %s', async (what, statements) => {
    scene = await Scene.open(stage, queueKinds().at(-1)!, { tenants: 4, seed: 1 });
    const { database, writers } = scene;
    await scene.start();
    await scene.leader();
    const holder = new Client({ connectionString: database.adminUrl, application_name: 'holder' });
    await holder.connect();
    for (const text of statements) await holder.query(text);
    writers.start();
    await sleep(OPEN_MS);
    const [open] = await database.admin<{ since: number }>(
      `select extract(epoch from clock_timestamp() - xact_start)::float8 as since from pg_stat_activity
       where application_name = 'holder' and backend_xmin is not null or application_name = 'holder' and backend_xid is not null`,
    );
    const [worst] = await database.admin<{ ms: number; events: number; waiting: number }>(
      `select (extract(epoch from max(coalesce(e.at, clock_timestamp()) - l.occurred_at)) * 1000)::float8 as ms,
         count(e.event_id)::int as events, count(*) filter (where e.event_id is null)::int as waiting
       from events.log l
       left join probe.effects e on e.tenant_id = l.tenant_id and e.event_id = l.id
       where l.type = 'probe.key.moved'`,
    );
    process.stdout.write(
      `${what}, open for ${Math.round((open?.since ?? 0) * 10) / 10} s: ${worst?.events} events, the slowest took ${Math.round(worst?.ms ?? 0)} ms\n`,
    );
    // It was open for the whole time.
    expect((open?.since ?? 0) * 1_000).toBeGreaterThan(OPEN_MS * 0.9);
    expect(worst?.events).toBeGreaterThan(100);
    expect(worst?.ms).toBeLessThan(DELIVERED_WITHIN_MS);
    await scene.settle(30_000);
    await holder.query('rollback');
    await holder.end();
  });
});
