import { beginDrill, listPolicyStates, type PolicyState } from '@holdfast/resilience';
import { TestDatabase } from '@holdfast/testing';
import { Database } from './database';
import { DatabaseUnavailable } from './database-errors';

const POOL = 'drilled';

// Guards that the most needed dependency shows and is drilled as the others are.
describe('A pool as a policy', () => {
  let test: TestDatabase;
  let database: Database;
  beforeAll(async () => {
    test = await TestDatabase.create();
    database = new Database({ url: test.url('holdfast_ops'), name: POOL, connectionsMax: 1 });
    await database.ping();
  });
  afterAll(() => test.drop());

  const shown = (): PolicyState | undefined => listPolicyStates().find(({ part }) => part === POOL);
  const drill = (does: 'open' | 'fail' | 'slow', forMs: number): number =>
    beginDrill('postgresql', { does, delayMs: 100, untilMs: performance.now() + forMs });
  const over = (): number => drill('open', 0);

  it('says how it stands', () => {
    const calls = { ok: 1 };
    expect(shown()).toEqual({
      name: 'postgresql',
      part: POOL,
      circuit: 'closed',
      circuitsOpen: 0,
      atWork: 0,
      waiting: 0,
      calls,
    });
  });

  it('is drilled: refused, failed, or late, until the drill is over', async () => {
    drill('open', 60_000);
    expect(shown()).toMatchObject({ circuit: 'open', circuitsOpen: 1, drill: 'open' });
    await expect(database.ping()).rejects.toThrow(DatabaseUnavailable);
    drill('fail', 60_000);
    await expect(database.ping()).rejects.toThrow(DatabaseUnavailable);
    drill('slow', 60_000);
    const beganAtMs = performance.now();
    await database.ping();
    expect(performance.now() - beganAtMs).toBeGreaterThanOrEqual(99);
    over();
    await database.ping();
    expect(shown()).toMatchObject({ circuit: 'closed', calls: { ok: 3, circuit_open: 1, failed: 1 } });
  });

  it('has its circuit opened by failures of a drill, and closed by a success behind it', async () => {
    drill('fail', 60_000);
    for (let n = 0; n < 5; n += 1) await expect(database.ping()).rejects.toThrow(DatabaseUnavailable);
    over();
    expect(shown()?.circuit).toBe('open');
    await expect(database.ping()).rejects.toThrow(DatabaseUnavailable);
    await new Promise((resolve) => setTimeout(resolve, 1_050));
    await database.ping();
    expect(shown()?.circuit).toBe('closed');
  });

  it('shows no more once it is closed', async () => {
    await database.close();
    expect(shown()).toBeUndefined();
  });
});
