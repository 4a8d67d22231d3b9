import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Random } from '@holdfast/testing';
import { Client, DatabaseError } from 'pg';
import { underLoad } from './crashes';
import { type Entry, single } from './ledger-client';
import { until } from './postgres-pair';
import type { Row } from './row';
import type { Scene } from './scene';

/** Sessions that lock what is not theirs, in an order that nobody shares. */
const HOSTILE_SESSIONS = 4;
/** A lock is waited for at most 2 s. */
const LONGER_THAN_LOCK_TIMEOUT_MS = 2_500;
/** Enough for two processes to meet at one id several times. */
const ROUNDS = 20;

const DEADLOCK_DETECTED = '40P01';

const LOCK = 'select from ledger.accounts where tenant_id = $1 and id = $2 for update';

/** Locks accounts of both tenants in any order until it is stopped. */
class Hostile {
  private readonly stopping = new AbortController();
  private running: Promise<unknown> = Promise.resolve();

  constructor(private readonly scene: Scene) {}

  start(seed: number): void {
    const sessions = Array.from({ length: HOSTILE_SESSIONS }, (_, n) => this.run(new Random(seed * 17 + n)));
    this.running = Promise.all(sessions);
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    await this.running;
  }

  /** Has one account, which every transfer of a tenant goes through, for longer than anybody waits for a lock. */
  async occupy(): Promise<void> {
    const [{ id, accounts }] = this.scene.tenants;
    await this.asAdmin(async (client) => {
      await client.query('begin');
      await client.query(LOCK, [id, accounts[0]]);
      await sleep(LONGER_THAN_LOCK_TIMEOUT_MS);
      await client.query('commit');
    });
  }

  private run(random: Random): Promise<void> {
    return this.asAdmin(async (client) => {
      while (!this.stopping.signal.aborted) {
        await client.query('begin');
        await this.lockSome(client, random).catch((error: unknown) => {
          // Of two that lock in opposite orders one is told to end.
          if (!(error instanceof DatabaseError && error.code === DEADLOCK_DETECTED)) throw error;
        });
        await client.query('rollback');
        await sleep(random.between(0, 30));
      }
    });
  }

  private async lockSome(client: Client, random: Random): Promise<void> {
    const { id, accounts } = random.pick(this.scene.tenants);
    for (let n = 0; n < 3; n += 1) {
      await client.query(LOCK, [id, random.pick(accounts)]);
      await sleep(random.between(0, 20));
    }
  }

  private async asAdmin(work: (client: Client) => Promise<void>): Promise<void> {
    const client = new Client({ connectionString: this.scene.stage.database.adminUrl });
    await client.connect();
    try {
      await work(client);
    } finally {
      await client.end();
    }
  }
}

const deadlocks: Row = {
  row: 9,
  name: 'a storm of deadlocks on hot accounts',
  strike: async (scene, random) => {
    const { clients, stage } = scene;
    const before = stage.pair.logged();
    await underLoad(scene, random);
    const hostile = new Hostile(scene);
    hostile.start(random.between(1, 2 ** 20));
    const since = clients.journal.length;
    const landed = (): { all: number; ours: number } => deadlocksIn(stage.pair.logged().slice(before.length));
    try {
      await until('deadlocks', () => landed().all >= 5 && landed().ours > 0);
    } finally {
      await hostile.stop();
    }
    await hostile.occupy();
    await until('a write that waited too long', () => busy(clients.journal.slice(since)) > 0);
    const { all, ours } = landed();
    return `${all} deadlocks, ${ours} of them the ledger's, ${busy(clients.journal.slice(since))} writes told to come again`;
  },
};

/** Transactions that PostgreSQL has ended to break a deadlock, and those of them that posted. */
function deadlocksIn(log: string): { all: number; ours: number } {
  const [, ...victims] = log.split('ERROR:  deadlock detected');
  const statements = victims.map((text) => text.split('STATEMENT:')[1]?.slice(0, 400) ?? '');
  return {
    all: victims.length,
    ours: statements.filter((text) => text.includes('ledger.post_items')).length,
  };
}

function busy(entries: readonly Entry[]): number {
  return entries.filter(({ answer }) => answer.body['code'] === 'database.busy').length;
}

const sameIds: Row = {
  row: 9,
  name: 'the same ids with other accounts at two APIs at once',
  strike: async (scene, random) => {
    const { clients, stage } = scene;
    const before = stage.pair.logged();
    const failures = (): number =>
      stage.pair.logged().slice(before.length).split('an id was used meanwhile').length - 1;
    await underLoad(scene, random);
    let rounds = 0;
    // A failure to serialise needs the two within a millisecond or so, which is up to the machine.
    await until('a failure to serialise', async () => {
      for (let n = 0; n < ROUNDS; n += 1) await contest(scene, random);
      rounds += ROUNDS;
      return failures() > 0;
    });
    expect(clients.journal.length).toBeGreaterThan(2 * rounds);
    return `${rounds} ids contested, ${failures()} failures to serialise`;
  },
};

/** One of two has the id, and the other is told that it is another's. */
async function contest({ clients, tenants }: Scene, random: Random): Promise<void> {
  const tenant = random.pick(tenants);
  const [source, other, ...wallets] = tenant.accounts;
  const id = randomUUID();
  const ask = (debitAccountId?: string, creditAccountId?: string): ReturnType<typeof single> =>
    single(tenant, '/v1/ledger/transfers', { id, debitAccountId, creditAccountId, amount: '1' });
  const entries = await Promise.all([
    clients.send(ask(source, wallets[0]), 0),
    clients.send(ask(other, wallets[1]), 1),
  ]);
  const answers = await Promise.all(
    entries.map(async (entry) => (entry.answer.status === 503 ? clients.settle(entry) : entry.answer)),
  );
  const codes = answers.map(({ status, body }) => (status === 201 ? 'created' : String(body['code'])));
  expect(codes.toSorted()).toEqual([
    'created',
    expect.stringMatching(/^ledger\.exists_with_different_(?:debit|credit)_account_id$/),
  ]);
}

/** Row 9: transactions in each other's way. */
export const CONTENTION: readonly Row[] = [deadlocks, sameIds];
