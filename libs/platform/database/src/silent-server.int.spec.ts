import { setTimeout as sleep } from 'node:timers/promises';
import { Deadline, DeadlinePassed } from '@holdfast/kernel';
import { TcpProxy, TestDatabase } from '@holdfast/testing';
import { Database } from './database';
import { DatabaseUnavailable, OutcomeUnknown, PoolExhausted } from './database-errors';
import { statement } from './statement';
import { SystemTx } from './transaction';

const PAUSE = statement('test.silent_pause', 'select pg_sleep(0.3)');
const TICK = statement('test.silent_tick', 'select pg_sleep(0.025)');
const SESSIONS = `select count(*)::int as count from pg_stat_activity where application_name = 'silent'`;
/** Of the pool: at one connection, a line of sixteen. */
const PLACES = 16;

const opening = (connection: ConstructorParameters<typeof SystemTx>[0]): SystemTx => new SystemTx(connection);
const unavailable = expect.any(DatabaseUnavailable) as unknown;

/** One short statement. */
const ask = (database: Database): Promise<unknown> => database.transaction(opening, (tx) => tx.rows(TICK));
/** Why it was given no connection. */
const refusalOf = async (database: Database): Promise<string> =>
  String(((await failureOf(ask(database))) as DatabaseUnavailable).cause);
const failureOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => undefined,
    (error: unknown) => error,
  );

// Row 7 of the faults: deadlines hold, the circuit opens, nothing leaks, and all is well again by itself.
describe('A network that swallows what is sent', () => {
  let test: TestDatabase;
  let wire: TcpProxy;
  let database: Database;
  beforeAll(async () => (test = await TestDatabase.create()));
  afterAll(() => test.drop());
  beforeEach(async () => {
    const url = new URL(test.url('holdfast_ops'));
    wire = await TcpProxy.start(Number(url.port));
    url.port = String(wire.port);
    database = new Database({
      url: url.href,
      name: 'silent',
      connectionsMax: 2,
      statementTimeoutMs: 500,
      acquireTimeoutMs: 500,
    });
    await database.ping();
  });
  afterEach(async () => {
    await wire.close();
    await database.close();
  });

  const write = (): Promise<unknown> => database.transaction(opening, (tx) => tx.rows(PAUSE));
  it('ends the work that waits for an answer, and its connection', async () => {
    const waiting = write();
    await wire.set('blackhole');
    expect(await failureOf(waiting)).toEqual(unavailable);
    expect(database.load).toMatchObject({ used: 0, waiting: 0 });
    // Nor is a connection that is being made waited for beyond the deadline.
    const short = database.transaction(opening, (tx) => tx.rows(TICK), Deadline.in(50));
    expect(await failureOf(short)).toBeInstanceOf(DeadlinePassed);
  });

  it('tells who has sent a commit that its outcome is not known', async () => {
    const waiting = database.transaction(opening, (tx) => tx.last(PAUSE));
    await wire.set('blackhole');
    expect(await failureOf(waiting)).toBeInstanceOf(OutcomeUnknown);
  });

  it('opens the circuit, behind which nobody waits, and closes it when the network is back', async () => {
    await wire.set('blackhole');
    for (let n = 0; n < 5; n += 1) expect(await failureOf(write())).toEqual(unavailable);
    const { held } = wire.counts;
    expect(await failureOf(write())).toEqual(unavailable);
    expect(wire.counts.held).toBe(held); // Nothing was sent.
    await sleep(1_050);
    const told: string[] = [];
    const tell = (who: string): Promise<unknown> => failureOf(write()).then(() => told.push(who));
    await Promise.all(['looks', 'comes then', 'comes as well'].map(tell));
    expect(told).toEqual(['comes then', 'comes as well', 'looks']);
    await wire.set('pass');
    while (await failureOf(database.ping())) await sleep(50);
    await Promise.all([write(), write(), write()]);
    expect(database.load).toMatchObject({ used: 0, waiting: 0 });
    const [sessions] = await test.admin<{ count: number }>(SESSIONS);
    expect(sessions?.count).toBeLessThanOrEqual(2);
  });

  it('does not disturb a pipeline whose statements take longer together than one may', async () => {
    await database.transaction(opening, (tx) => Promise.all(Array.from({ length: 6 }, () => tx.rows(PAUSE))));
  });
});

// Row 8 of the faults.
describe('A pool whose connections are all in use', () => {
  let test: TestDatabase;
  let database: Database;
  beforeAll(async () => {
    test = await TestDatabase.create();
    const url = test.url('holdfast_ops');
    database = new Database({ url, name: 'full', connectionsMax: 1, queueTimeoutMs: 150 });
  });
  afterAll(async () => {
    await database.close();
    await test.drop();
  });

  it('refuses who has waited long enough, and at once who finds the line full, and serves the next', async () => {
    const longer = database.transaction(opening, (tx) => Promise.all([tx.rows(PAUSE), tx.rows(PAUSE)]));
    const others = Array.from({ length: PLACES + 2 }, () => ask(database));
    const failures = await Promise.allSettled(others);
    await longer;
    for (const failure of failures)
      expect(failure).toMatchObject({ reason: { cause: expect.any(PoolExhausted) as unknown } });
    const told = failures.map((failure) => String((failure as PromiseRejectedResult).reason.cause.message));
    expect(told.filter((text) => text === `${PLACES} wait for a connection`)).toHaveLength(2);
    await database.ping();
    expect(database.load).toMatchObject({ used: 0, idle: 1, waiting: 0 });
  });

  it('waits no longer than a moment in a line that stands', async () => {
    const longer = database.transaction(opening, async (tx) => {
      for (let n = 0; n < 4; n += 1) await tx.rows(PAUSE);
    });
    const messages: string[] = [];
    for (let n = 0; n < 3; n += 1) messages.push(await refusalOf(database));
    await longer;
    expect(messages.at(0)).toContain('within 150 ms');
    expect(messages.at(-1)).toContain('within 50 ms');
    await database.ping();
  });

  it('tells all that wait once nobody is served any more, and who comes then', async () => {
    const stalling = new Database({
      ...{ url: test.url('holdfast_ops'), name: 'stalling', connectionsMax: 1 },
      ...{ queueTimeoutMs: 5_000, stalledAfterMs: 200 },
    });
    await stalling.ping();
    const told: string[] = [];
    const turn = (work: (tx: SystemTx) => Promise<unknown>): Promise<unknown> =>
      stalling.transaction(opening, work).catch((error: unknown) => {
        told.push(String((error as DatabaseUnavailable).cause));
      });
    // The line moves for longer than that, and then it does not.
    const moving = Array.from({ length: 6 }, () => turn((tx) => tx.rows(TICK)));
    const longer = turn(async (tx) => {
      for (let n = 0; n < 4; n += 1) await tx.rows(PAUSE);
    });
    const waiting = Array.from({ length: 3 }, () => turn((tx) => tx.rows(TICK)));
    await Promise.all([...moving, ...waiting]);
    expect(told).toHaveLength(3);
    expect(await refusalOf(stalling)).toContain('within 50 ms');
    // Whoever only wants to know whether the server is there waits for as long as a line is waited in.
    const alive = stalling.ping();
    await longer;
    await alive;
    await stalling.close();
  });

  it('keeps its patience in a line that moves, for as long as it lasts', async () => {
    const patient = new Database({
      url: test.url('holdfast_ops'),
      name: 'busy',
      connectionsMax: 1,
      queueTimeoutMs: 800,
    });
    const until = performance.now() + 1_500;
    // Each waits for four others: longer than in a line that stands, and less than half of the time.
    const users = Array.from({ length: 5 }, async () => {
      while (performance.now() < until) await patient.transaction(opening, (tx) => tx.rows(TICK));
    });
    await Promise.all(users);
    await patient.close();
  });
});
