import { setTimeout as sleep } from 'node:timers/promises';
import { type Caller, newId } from '@holdfast/kernel';
import { DatabaseUnavailable, OutcomeUnknown } from '@holdfast/database';
import { SagaRunner } from '@holdfast/sagas';
import { callerOf, TenantDatabase, type TenantTx } from '@holdfast/tenancy';
import { Random } from '@holdfast/testing';
import { FUNDS, type Party, PaymentsStage } from '../test/payments-stage';
import { findClearingBreaks } from './clearing-controls';
import { payment } from './payment.saga';

const IS_LONG = Boolean(process.env['HOLDFAST_TEST_LONG']);
const PAYMENTS = IS_LONG ? 1_000 : 120;
const PARTIES = 10;
/** Of the transactions of the runner: as many fail before, and as many behind their commit. */
const FAILING = 0.04;

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
      throw new DatabaseUnavailable(new Error('drawn'));
    }
    const result = await super.transaction(caller, work);
    if (drawn > 1 - FAILING) {
      this.landed.behind += 1;
      throw new OutcomeUnknown(new Error('drawn'));
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
  let runners: SagaRunner[];
  let failing: FailingTenants[];

  beforeAll(async () => {
    stage = await PaymentsStage.open();
    parties = [];
    for (let count = 0; count < PARTIES; count += 1) parties.push(await stage.party());
    failing = [new FailingTenants(stage.tenants, random), new FailingTenants(stage.tenants, random)];
    const relay = stage.database.as('holdfast_relay', 3);
    const { grants } = stage;
    runners = failing.map(
      (tenants) => new SagaRunner({ tenants, grants, relay, report: () => {}, lanes: 8 }),
    );
  });
  afterAll(async () => {
    await Promise.all(runners.map((runner) => runner.stop()));
    await stage.close();
  });

  async function pay(): Promise<void> {
    const [from, to] = [random.pick(parties), random.pick(parties)];
    if (from === to) return pay();
    const asked = stage.input(from, to, BigInt(random.between(1, 300)));
    // One in ten goes to an account that is not there, and is compensated.
    const input = random.between(1, 10) === 1 ? { ...asked, toAccountId: newId() } : asked;
    const caller = callerOf(await stage.grants.forSystem('test', from.id), { requestId: newId() });
    const runner = random.pick(runners);
    // A pool whose line stands refuses what comes; whoever asks for a payment tries again.
    for (let isBegun = false; !isBegun;) {
      isBegun = await stage.tenants
        .transaction(caller, (tx) => runner.begin(tx, payment, input))
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
    for (const runner of runners) runner.start();
    for (let begun = 0; begun < PAYMENTS; begun += 20) {
      await Promise.all(Array.from({ length: 20 }, pay));
      looks.push((await findClearingBreaks({ relay, grants: stage.grants })).length);
    }
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
    const made = await count(`select count(*) as n from sagas.sagas where state = 'completed'`);
    process.stdout.write(
      `${PAYMENTS} payments, ${made} completed, ${looks.length} looks, failures ${before.join('+')} before and ${behind.join('+')} behind, ${seconds.toFixed(1)} s\n`,
    );
  }, 250_000);
});
