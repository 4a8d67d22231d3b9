import { setTimeout as sleep } from 'node:timers/promises';
import { type Caller, newId } from '@holdfast/kernel';
import { DatabaseUnavailable, OutcomeUnknown } from '@holdfast/database';
import { SagaRunner } from '@holdfast/sagas';
import { callerOf, Grants, TenantDatabase, type TenantTx } from '@holdfast/tenancy';
import { Random } from '@holdfast/testing';
import { type Party, PaymentsStage } from '../test/payments-stage';
import { findClearingBreaks } from './clearing-controls';
import { payment } from './payment.saga';

const IS_LONG = Boolean(process.env['HOLDFAST_TEST_LONG']);
const PAYMENTS = IS_LONG ? 1_000 : 120;
const PARTIES = 10;
/** Of each: enough for most of its payments. */
const FUNDS = BigInt(20 * PAYMENTS);
/** What a worker has of connections. */
const CONNECTIONS = { app: 12, auth: 2, relay: 6 };
/** Of the transactions of the runner: as many fail before, and as many behind their commit. */
const FAILING = 0.04;

const DRAWN = new Error('drawn');

/** Transactions that fail at random, with their effect or without. */
class FailingTenants extends TenantDatabase {
  readonly landed = { before: 0, behind: 0 };

  constructor(
    real: TenantDatabase,
    private readonly random: Random,
  ) {
    super(real.database);
  }

  override async transaction<T>(caller: Caller, work: (tx: TenantTx) => Promise<T>): Promise<T> {
    const drawn = this.random.next();
    if (drawn < FAILING) {
      this.landed.before += 1;
      throw new DatabaseUnavailable(DRAWN);
    }
    const result = await super.transaction(caller, work);
    if (drawn > 1 - FAILING) {
      this.landed.behind += 1;
      throw new OutcomeUnknown(DRAWN);
    }
    return result;
  }
}

// Promises 2 and 8, with many at once in both directions: the pairs add up at every instant, and to zero at rest.
describe('Concurrent payments', () => {
  const seed = Number(process.env['HOLDFAST_FAULT_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
  const random = new Random(seed);
  let stage: PaymentsStage;
  let parties: Party[];
  let beginning: SagaRunner;
  let runners: SagaRunner[];
  let failing: FailingTenants[];
  let grants: Grants[];
  /** Claims for which there was no connection, and nobody has drawn that: what is due is found again. */
  let refused = 0;

  beforeAll(async () => {
    stage = await PaymentsStage.open();
    parties = [];
    for (let count = 0; count < PARTIES; count += 1) parties.push(await stage.party('credit', FUNDS));
    const { database, tenants } = stage;
    failing = [0, 1].map(() => new FailingTenants(database.tenants(CONNECTIONS.app), random));
    grants = failing.map(() => new Grants(database.as('holdfast_auth', CONNECTIONS.auth)));
    const report = (error: unknown, doing: string): void => {
      const isDrawn = error instanceof Error && error.cause === DRAWN;
      if (doing.startsWith('taking up') && !isDrawn) refused += 1;
    };
    // As many lanes as a worker has.
    runners = failing.map((unlucky, at) => {
      const relay = database.as('holdfast_relay', CONNECTIONS.relay);
      return new SagaRunner({ tenants: unlucky, grants: grants[at] ?? stage.grants, relay, report });
    });
    beginning = new SagaRunner({ tenants, grants: stage.grants, report: () => {}, lanes: 0 });
  });
  afterAll(async () => {
    await Promise.all(runners.map((runner) => runner.stop()));
    for (const each of grants) each.close();
    await stage.close();
  });

  async function pay(): Promise<void> {
    const [from, to] = [random.pick(parties), random.pick(parties)];
    if (from === to) return pay();
    const asked = stage.input(from, to, BigInt(random.between(1, 300)));
    // One in ten goes to an account that is not there, and is compensated.
    const input = random.between(1, 10) === 1 ? { ...asked, toAccountId: newId() } : asked;
    const caller = callerOf(await stage.grants.forSystem('test', from.id), { requestId: newId() });
    // A pool whose line stands refuses what comes; whoever asks for a payment tries again.
    for (let isBegun = false; !isBegun;) {
      isBegun = await stage.tenants
        .transaction(caller, (tx) => beginning.begin(tx, payment, input))
        .then(() => true)
        .catch(async (error: unknown) => {
          if (!(error instanceof DatabaseUnavailable)) throw error;
          await sleep(random.between(10, 100));
          return false;
        });
    }
  }

  const count = async (sql: string): Promise<number> =>
    Number((await stage.database.admin<{ n: string }>(sql))[0]?.n);
  const openCount = (): Promise<number> =>
    count('select count(*) as n from sagas.sagas where due_at is not null');

  it(`lose nothing: ${PAYMENTS} between ${PARTIES} tenants, seed ${seed}`, async () => {
    const relay = stage.database.as('holdfast_relay', 1);
    const looks: number[] = [];
    const startedAtMs = Date.now();
    for (let begun = 0; begun < PAYMENTS; begun += 20) await Promise.all(Array.from({ length: 20 }, pay));
    expect(await openCount()).toBe(PAYMENTS);
    for (const runner of runners) runner.start();
    while ((await openCount()) > 0) {
      // Who could not even note its failure keeps the lease for 90 s; here it is over behind 3 s, also for somebody who is just slow.
      await stage.database.admin(
        `update sagas.sagas set lease_until = null where lease_until < clock_timestamp() + interval '87 seconds'`,
      );
      looks.push((await findClearingBreaks({ relay, grants: stage.grants })).length);
      await sleep(200);
    }
    const seconds = (Date.now() - startedAtMs) / 1_000;
    // The invariant held at every look, under load and at rest.
    expect(looks.filter((breaks) => breaks > 0)).toEqual([]);
    expect(
      await count(`select count(*) as n from sagas.sagas where state not in ('completed', 'compensated')`),
    ).toBe(0);
    const clearing = `from ledger.accounts where owner = 'payments'`;
    expect(await count(`select sum(posted_credits - posted_debits) as n ${clearing}`)).toBe(0);
    expect(await count(`select sum(pending_credits + pending_debits) as n ${clearing}`)).toBe(0);
    const wallets = await Promise.all(parties.map((party) => stage.wallet(party)));
    expect(wallets.reduce((sum, { has }) => sum + has, 0n)).toBe(FUNDS * BigInt(PARTIES));
    expect(wallets.map(({ held }) => held)).toEqual(wallets.map(() => 0n));
    // Each half has the end of the other.
    expect(
      await count(
        `select count(*) as n from payments.payments p
         left join payments.payments i on i.tenant_id = p.counterparty_id and i.id = p.id
         where p.direction = 'outgoing' and (p.status = 'completed') is distinct from (i.status is not distinct from 'completed')`,
      ),
    ).toBe(0);
    expect(await stage.breaks(...parties)).toEqual([]);
    expect(
      await count('select deadlocks as n from pg_stat_database where datname = current_database()'),
    ).toBe(0);
    const [before, behind] = [
      failing.map(({ landed }) => landed.before),
      failing.map(({ landed }) => landed.behind),
    ];
    expect(Math.min(...before, ...behind)).toBeGreaterThan(0);
    // Somebody has decided against it: none was given up for want of a connection, or of another try.
    const ends = await stage.database.admin<{ end: string; n: number }>(
      `select coalesce(reason, state) as end, count(*)::int as n from sagas.sagas group by 1 order by 1`,
    );
    expect(['completed', 'ledger.exceeds_credits', 'sagas.participant_refused']).toEqual(
      expect.arrayContaining(ends.map(({ end }) => end)),
    );
    process.stdout.write(
      `${PAYMENTS} payments: ${ends.map(({ end, n }) => `${n} ${end}`).join(', ')}; ${looks.length} looks, ${refused} claims refused and found again, failures ${before.join('+')} before and ${behind.join('+')} behind, ${seconds.toFixed(1)} s\n`,
    );
  }, 250_000);
});
