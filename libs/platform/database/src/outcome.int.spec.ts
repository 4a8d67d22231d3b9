import { connect, createServer, type Server, type Socket } from 'node:net';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { TestDatabase, testRoutes } from '@holdfast/testing';
import { Database } from './database';
import { statement } from './statement';
import { SystemTx } from './transaction';

const INSERT = statement('test.outcome_insert', 'insert into public.test_outcomes (name) values ($1)');
const COUNT = statement<{ count: bigint }>(
  'test.outcome_count',
  'select count(*) as count from public.test_outcomes',
);

const WHO = statement<{ pid: number }>('test.outcome_who', 'select pg_backend_pid() as pid');

/** A wire to PostgreSQL that can be told to swallow what the server says and then to break. */
class Wire {
  private swallowing = false;
  private readonly sockets: Socket[] = [];

  private constructor(private readonly server: Server) {}

  static async to(host: string, port: number): Promise<Wire> {
    const server = createServer();
    const wire = new Wire(server);
    server.on('connection', (client) => {
      const upstream = connect(port, host);
      wire.sockets.push(client, upstream);
      for (const socket of [client, upstream]) socket.on('error', () => socket.destroy());
      client.pipe(upstream);
      upstream.on('data', (chunk) => wire.swallowing || client.write(chunk));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return wire;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  /** Lets requests through and answers not; cuts the connection once the server has had time to act. */
  async cutAnswers(): Promise<void> {
    this.swallowing = true;
    await sleep(200);
    this.close();
  }

  close(): void {
    for (const socket of this.sockets) socket.destroy();
    this.server.close();
  }
}

/** Promise 3: an outcome that cannot be known is reported as unknown, never as success and never as failure. */
describe('a connection that is cut', () => {
  let database: TestDatabase;
  let wire: Wire;
  let cut: Database;

  beforeAll(async () => {
    database = await TestDatabase.create();
    await database.admin('create table public.test_outcomes (name text not null)');
    await database.admin('grant usage on schema public to holdfast_ops');
    await database.admin('grant select, insert on public.test_outcomes to holdfast_ops');
  });
  beforeEach(async () => {
    const url = new URL(database.url('holdfast_ops'));
    wire = await Wire.to(url.hostname, Number(url.port));
    url.port = String(wire.port);
    cut = new Database({ url: url.href, name: 'cut', connectionsMax: 1 });
    await cut.ping();
  });
  afterEach(async () => {
    wire.close();
    await cut.close();
  });
  afterAll(() => database.drop());

  const names = async (): Promise<string[]> =>
    (await database.admin<{ name: string }>('select name from public.test_outcomes')).map(({ name }) => name);
  const open =
    (access: 'read write' | 'read only') => (connection: ConstructorParameters<typeof SystemTx>[0]) =>
      new SystemTx(connection, access);

  it('in the answer to a commit leaves the outcome unknown, though it was committed', async () => {
    const work = cut.transaction(open('read write'), async (tx) => {
      await tx.execute(INSERT, ['commit']);
      void wire.cutAnswers();
    });
    await expect(work).rejects.toMatchObject({ code: 'outcome_unknown' });
    expect(await names()).toContain('commit');
  });

  it('while the last statement and the commit travel together leaves it unknown as well', async () => {
    const work = cut.transaction(open('read write'), async (tx) => {
      await tx.rows(COUNT);
      void wire.cutAnswers();
      return tx.last(INSERT, ['last']);
    });
    await expect(work).rejects.toMatchObject({ code: 'outcome_unknown' });
    expect(await names()).toContain('last');
  });

  it('before the commit was sent changes nothing, and says so', async () => {
    const work = cut.transaction(open('read write'), async (tx) => {
      void wire.cutAnswers();
      await tx.execute(INSERT, ['before']);
    });
    await expect(work).rejects.toMatchObject({ code: 'database.unavailable' });
    expect(await names()).not.toContain('before');
  });

  it('while reading has no outcome to be unknown', async () => {
    const work = cut.transaction(open('read only'), async (tx) => {
      await tx.rows(COUNT);
      void wire.cutAnswers();
      return tx.last(COUNT);
    });
    await expect(work).rejects.toMatchObject({ code: 'database.unavailable' });
  });
});

describe.each(testRoutes())('a session that is ended, $route,', (route) => {
  let database: TestDatabase;
  let ops: Database;

  beforeAll(async () => {
    database = await TestDatabase.createFor(route);
    ops = database.as('holdfast_ops');
    // Its commit takes a second: the trigger is deferred until then.
    await database.admin(`create table public.test_outcomes (name text not null);
      grant usage on schema public to holdfast_ops;
      grant select, insert on public.test_outcomes to holdfast_ops;
      create function public.dawdle() returns trigger language plpgsql as 'begin perform pg_sleep(1); return null; end';
      grant execute on function public.dawdle() to holdfast_ops;
      create constraint trigger dawdle after insert on public.test_outcomes deferrable initially deferred
        for each row execute function public.dawdle()`);
  });
  afterAll(() => database.drop());

  const open = (connection: ConstructorParameters<typeof SystemTx>[0]): SystemTx => new SystemTx(connection);
  const end = (rows: readonly { readonly pid: number }[]): Promise<unknown> =>
    database.admin('select pg_terminate_backend($1)', [rows[0]?.pid]);

  it('between two statements has changed nothing, and the next one is sound', async () => {
    const work = ops.transaction(open, async (tx) => {
      await end(await tx.rows(WHO));
      await tx.execute(INSERT, ['between']);
    });
    await expect(work).rejects.toMatchObject({ code: 'database.unavailable' });
    expect(await ops.transaction(open, (tx) => tx.rows(COUNT))).toEqual([{ count: 0n }]);
  });

  it('while it commits leaves the outcome unknown', async () => {
    const work = ops.transaction(open, async (tx) => {
      const rows = await tx.rows(WHO);
      await tx.execute(INSERT, ['committing']);
      setTimeout(() => void end(rows), 300);
    });
    await expect(work).rejects.toMatchObject({ code: 'outcome_unknown' });
    expect(await ops.transaction(open, (tx) => tx.rows(COUNT))).toEqual([{ count: 0n }]);
  });
});

/** Promise 2: a server that waits for its standby, or is not there any more, may never answer a commit. */
describe('a commit that is not answered in time', () => {
  let database: TestDatabase;
  let ops: Database;

  beforeAll(async () => {
    database = await TestDatabase.create();
    ops = database.as('holdfast_ops', 2);
    // Longer than a commit is waited for.
    await database.admin(`create table public.test_outcomes (name text not null);
      grant usage on schema public to holdfast_ops;
      grant select, insert on public.test_outcomes to holdfast_ops;
      create function public.dawdle() returns trigger language plpgsql as 'begin perform pg_sleep(8); return null; end';
      grant execute on function public.dawdle() to holdfast_ops;
      create constraint trigger dawdle after insert on public.test_outcomes deferrable initially deferred
        for each row when (new.name = 'late') execute function public.dawdle()`);
  });
  afterAll(() => database.drop());

  const insert = (name: string): Promise<number> =>
    ops.transaction(
      (connection) => new SystemTx(connection),
      (tx) => tx.execute(INSERT, [name]),
    );
  const count = (): Promise<{ count: bigint }[]> =>
    ops.transaction(
      (connection) => new SystemTx(connection, 'read only'),
      (tx) => tx.last(COUNT),
    );

  it('leaves the outcome unknown, keeps its connection, and leaves the rest to readers until it is answered', async () => {
    await expect(insert('late')).rejects.toMatchObject({ code: 'outcome_unknown' });
    expect(ops.load.used).toBe(1);
    await expect(insert('behind')).rejects.toMatchObject({ code: 'database.unavailable' });
    expect(await count()).toEqual([{ count: 0n }]);
    while (ops.load.used > 0) await sleep(50);
    expect(await count()).toEqual([{ count: 1n }]);
    await insert('after');
  });
});
