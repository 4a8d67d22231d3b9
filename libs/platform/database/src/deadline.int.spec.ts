import { Deadline, DeadlinePassed } from '@holdfast/kernel';
import { TestDatabase, testRoutes } from '@holdfast/testing';
import type { Database } from './database';
import { statement } from './statement';
import { SystemTx } from './transaction';

const SLEEP = statement('test.deadline_sleep', 'select pg_sleep($1)');
const LIMIT = statement<{ readonly limit: string }>(
  'test.deadline_limit',
  `select current_setting('statement_timeout') as "limit"`,
);

describe.each(testRoutes())('The deadline of a transaction, $route', (route) => {
  let test: TestDatabase;
  let database: Database;
  beforeAll(async () => {
    test = await TestDatabase.createFor(route, 1);
    // One connection: whoever comes next has the one that a test has left.
    database = test.as('holdfast_app', 1);
  });
  afterAll(() => test.drop());

  const run = <T>(work: (tx: SystemTx) => Promise<T>, deadline?: Deadline): Promise<T> =>
    database.transaction((connection) => new SystemTx(connection), work, deadline);
  const limitOf = async (tx: SystemTx): Promise<string | undefined> => (await tx.row(LIMIT))?.limit;

  it('ends a statement that is at work, and leaves nothing behind', async () => {
    const late = run((tx) => tx.rows(SLEEP, [4]), Deadline.in(300));
    await expect(late).rejects.toBeInstanceOf(DeadlinePassed);
    expect(await run(limitOf)).toBe('5s');
  });

  it('gives statements what is left of it, where that is less than they have', async () => {
    expect(await run(limitOf, Deadline.in(60_000))).toBe('5s');
    const limit = await run(limitOf, Deadline.in(2_500));
    expect(limit).toMatch(/^(?:2[0-4]\d\dms|2500ms)$/);
    expect(await run(limitOf)).toBe('5s');
  });

  it('begins nothing behind it, neither a transaction nor a statement', async () => {
    let begun = 0;
    const over = run(async () => (begun += 1), Deadline.in(0));
    await expect(over).rejects.toBeInstanceOf(DeadlinePassed);
    expect(begun).toBe(0);
    const between = run(async (tx) => {
      await tx.rows(SLEEP, [0]);
      await new Promise((resolve) => setTimeout(resolve, 120));
      return limitOf(tx);
    }, Deadline.in(100));
    await expect(between).rejects.toBeInstanceOf(DeadlinePassed);
    expect(await run(limitOf)).toBe('5s');
  });

  it('fails what leaves a statement out, though nobody looks', async () => {
    const over = run(async (tx) => {
      await limitOf(tx);
      await new Promise((resolve) => setTimeout(resolve, 120));
      tx.rows(SLEEP, [0]).catch(() => {}); // Nobody looks.
    }, Deadline.in(100));
    await expect(over).rejects.toBeInstanceOf(DeadlinePassed);
  });

  it('is as long as a connection is waited for, and gives back one that comes later', async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const holding = run(() => promise);
    let begun = 0;
    const waiting = run(async () => (begun += 1), Deadline.in(50));
    await expect(waiting).rejects.toBeInstanceOf(DeadlinePassed);
    resolve();
    await holding;
    expect(await run(limitOf)).toBe('5s');
    expect([begun, database.load.used]).toEqual([0, 0]);
  });
});
