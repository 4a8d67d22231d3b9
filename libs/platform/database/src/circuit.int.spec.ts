import { Deadline, DeadlinePassed } from '@holdfast/kernel';
import { beginDrill, configurePolicies, listPolicyStates, type PolicyState } from '@holdfast/resilience';
import { TestDatabase } from '@holdfast/testing';
import { Database } from './database';
import { DatabaseUnavailable } from './database-errors';
import { SystemTx } from './transaction';

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
  const drill = (does: 'open' | 'fail' | 'slow', forMs: number, delayMs = 100): number =>
    beginDrill('postgresql', { does, delayMs, untilMs: performance.now() + forMs });
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

  it('is late for nobody beyond their deadline', async () => {
    drill('slow', 60_000, 600_000);
    const opening = (connection: ConstructorParameters<typeof SystemTx>[0]): SystemTx =>
      new SystemTx(connection);
    const late = database.transaction(opening, () => Promise.resolve(), Deadline.in(20));
    await expect(late).rejects.toThrow(DeadlinePassed);
    over();
  });

  it('is late no longer than a drill that makes it so', async () => {
    drill('slow', 50, 600_000);
    await database.ping();
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

  it('never opens where it is told so', async () => {
    configurePolicies({ postgresql: { failuresMax: 0 } });
    const never = new Database({ url: 'postgresql://127.0.0.1:1/none', name: 'never' });
    configurePolicies({});
    for (let n = 0; n < 2; n += 1) await expect(never.ping()).rejects.toThrow(DatabaseUnavailable);
    const calls = { failed: 2 };
    expect(listPolicyStates()).toContainEqual(
      expect.objectContaining({ part: 'never', circuit: 'closed', calls }),
    );
    await never.close();
  });

  it('shows no more once it is closed', async () => {
    await database.close();
    expect(shown()).toBeUndefined();
  });
});
