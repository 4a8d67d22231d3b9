import { type Caller, newId } from '@holdfast/kernel';
import { statement } from '@holdfast/database';
import { TestDatabase, testRoutes } from '@holdfast/testing';

const TENANTS = 50;
const CONNECTIONS = 5;
/** Behind a pooler, fewer than its clients: each transaction of one connection meets another session. */
const SERVER_CONNECTIONS = 3;
const UNITS = 3_000;
const LANES = 25;

const INSERT = statement(
  'test.interleaved_insert',
  `insert into tenants.usage_counts (tenant_id, used_on, event_type, event_count) values ($1, '2026-01-01', $2, 1)`,
);
/** Without tenant_id, so that nothing but the policy decides what comes back. */
const READ = statement<{ tenant_id: string; event_type: string }>(
  'test.interleaved_read',
  'select tenant_id, event_type from tenants.usage_counts order by event_type limit 100',
);
const FAIL = statement('test.interleaved_fail', 'select 1 / (count(*) - count(*)) from tenants.usage_counts');
const HURRY = statement('test.interleaved_hurry', `select set_config('statement_timeout', '2', false)`);
const SLEEP = statement('test.interleaved_sleep', 'select pg_sleep(1)');
const CONFUSE = statement('test.interleaved_confuse', `select set_config('holdfast.context', $1, false)`);
const WHO = statement<{ pid: number }>('test.interleaved_who', 'select pg_backend_pid() as pid');

/** Mulberry32: 32 bits of state, so that a run can be replayed from one number. */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const KINDS = [
  'read',
  'read',
  'read',
  'pipelined',
  'pipelined',
  'pipelined',
  'write',
  'error',
  'timeout',
  'confuse',
  'abandon',
  'kill',
] as const;

describe.each(testRoutes())('Many tenants on few connections, $route', (route) => {
  let database: TestDatabase;
  beforeAll(async () => void (database = await TestDatabase.createFor(route, SERVER_CONNECTIONS)));
  afterAll(() => database.drop());

  it('never meet each other, whatever goes wrong in between', async () => {
    const seed = Number(process.env['HOLDFAST_TEST_SEED'] ?? Date.now() % 1_000_000);
    const random = generator(seed);
    const tenants = database.tenants(CONNECTIONS);
    const callers: Caller[] = [];
    for (let made = 0; made < TENANTS; made += 1) callers.push(await database.caller(newId()));
    const counts = { rows: 0, foreign: 0, failures: 0, empty: 0 };
    const landed = new Map<string, number>();

    const look = (caller: Caller, rows: readonly { tenant_id: string }[]): void => {
      counts.rows += rows.length;
      counts.foreign += rows.filter((row) => row.tenant_id !== caller.tenantId).length;
      if (rows.length === 0) counts.empty += 1;
    };

    const unit = async (kind: (typeof KINDS)[number], caller: Caller, serial: number): Promise<void> => {
      if (kind === 'pipelined') return look(caller, await tenants.rows(caller, READ, []));
      await tenants.transaction(caller, async (tx) => {
        look(caller, await tx.rows(READ));
        if (kind === 'write') await tx.execute(INSERT, [caller.tenantId, `later ${serial}`]);
        if (kind === 'error') await tx.rows(FAIL);
        if (kind === 'timeout') await Promise.all([tx.rows(HURRY), tx.rows(SLEEP)]);
        if (kind === 'confuse') await tx.rows(CONFUSE, [callers[serial % TENANTS]!.grant]);
        if (kind === 'abandon') throw new Error('abandoned with statements on their way');
        if (kind === 'kill') {
          const [self] = await tx.rows(WHO);
          await database.admin('select pg_terminate_backend($1)', [self!.pid]);
        }
        look(caller, await tx.rows(READ));
      });
    };

    for (const caller of callers) {
      await tenants.transaction(caller, (tx) => tx.execute(INSERT, [caller.tenantId, 'first']));
    }
    let next = 0;
    const lane = async (): Promise<void> => {
      while (next < UNITS) {
        const serial = next;
        next += 1;
        const caller = callers[Math.floor(random() * TENANTS)]!;
        // A killed connection costs a reconnect and an administrator's connection: one unit in sixty is enough.
        const drawn = KINDS[Math.floor(random() * KINDS.length)]!;
        const kind = drawn === 'kill' && serial % 5 !== 0 ? 'read' : drawn;
        landed.set(kind, (landed.get(kind) ?? 0) + 1);
        await unit(kind, caller, serial).catch(() => (counts.failures += 1));
      }
    };
    await Promise.all(Array.from({ length: LANES }, lane));

    const kinds = [...landed].map(([kind, times]) => `${kind} ${times}`).join(', ');
    process.stdout.write(
      `interleaved, ${route.route} (seed ${seed}): ${UNITS} transactions, ${counts.rows} rows, ${counts.foreign} foreign rows, ${counts.failures} failures; ${kinds}\n`,
    );
    expect({ foreign: counts.foreign, empty: counts.empty - (landed.get('confuse') ?? 0) <= 0 }).toEqual({
      foreign: 0,
      empty: true,
    });
    expect(counts.rows).toBeGreaterThan(UNITS);
    // Every fault really landed.
    for (const kind of new Set(KINDS)) expect(landed.get(kind)).toBeGreaterThan(10);
    expect(counts.failures).toBeGreaterThanOrEqual(
      (landed.get('error') ?? 0) + (landed.get('timeout') ?? 0) + (landed.get('abandon') ?? 0),
    );
  }, 60_000);
});
