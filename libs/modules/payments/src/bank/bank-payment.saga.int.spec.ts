import { setTimeout as sleep } from 'node:timers/promises';
import { newId } from '@holdfast/kernel';
import { statement } from '@holdfast/database';
import { SagaRunner, stepKey, steerSaga } from '@holdfast/sagas';
import { type FoldedEvent, foldStream } from '@holdfast/tenancy';
import { BANK_PLANS, type BankPlan, drillSaga, type DrilledSaga, Random, TestBank } from '@holdfast/testing';
import { FUNDS, type Party, PaymentsStage } from '../../test/payments-stage';
import { foldedPayments } from '../payments.aggregates';
import {
  bankAccountId,
  bankKeyOf,
  bankPayment,
  type BankPaymentInput,
  payThrough,
  unannouncedBankPayment,
} from './bank-payment.saga';

const SETTINGS = { deadlineMs: 1_000, attemptMs: 150, openMs: 20 };
const AMOUNT = 100n;
const IS_LONG = Boolean(process.env['HOLDFAST_TEST_LONG']);
const SEEDS = IS_LONG ? 20 : 1;

const BEGIN = statement(
  'test.begin_by_hand',
  `insert into sagas.sagas (tenant_id, id, name, hash, input, deadline_at, correlation_id, started_by)
   values ($1, gen_random_uuid(), 'payments.bank_payment', $2, $3::jsonb, now() + interval '1 day', 'none', 'nobody')`,
);

// Promise 8: a payment over a bank is made on both sides or on neither, whatever the bank does to its answers.
describe('The saga of a payment to a bank', () => {
  let stage: PaymentsStage;
  let bank: TestBank;
  beforeAll(async () => {
    [stage, bank] = await Promise.all([PaymentsStage.open(), TestBank.start()]);
    payAnew();
  });
  afterAll(async () => {
    payThrough(undefined);
    await Promise.all([stage.close(), bank.stop()]);
  });
  beforeEach(() => {
    bank.plans.length = 0;
    bank.asked.length = bank.waits.length = 0;
    [bank.isMute, bank.fallsSilent, bank.isStubborn] = [false, false, false];
  });

  let runner: SagaRunner;
  beforeAll(() => {
    const { tenants, grants, database } = stage;
    const relay = database.as('holdfast_relay', 2);
    runner = new SagaRunner({ tenants, grants, relay, report: () => {} }); // What fails is what is asked for.
  });
  afterAll(() => runner.stop());

  async function begin(payer: Party, saga = bankPayment, id = newId()): Promise<string> {
    await stage.tenants.transaction(payer.caller, (tx) => runner.begin(tx, saga, inputOf(payer), id));
    return id;
  }

  /** How it ends, with nothing waited for. */
  async function ended(id: string, turnsMax = 100): Promise<DrilledSaga['state'] | 'running'> {
    for (let turns = 0; turns < turnsMax; turns += 1) {
      await runner.whenIdle(id);
      const [row] = await stage.database.admin<{ state: string }>(
        'select state from sagas.sagas where id = $1',
        [id],
      );
      if (row?.state === 'completed' || row?.state === 'compensated' || row?.state === 'needs_operator')
        return row.state;
      await stage.database.admin(
        'update sagas.sagas set due_at = clock_timestamp(), lease_until = null where id = $1 and due_at is not null',
        [id],
      );
      await runner.runDue();
    }
    return 'running';
  }

  /** Through a policy of whose budget of retries nothing is used up. */
  const payAnew = (): void => payThrough({ url: bank.url, secret: 'secret', settings: SETTINGS });

  const inputOf = ({ wallet }: Party): BankPaymentInput => ({
    ...{ fromAccountId: wallet, toIban: 'DE89370400440532013000', amount: String(AMOUNT), asset: 'EUR/2' },
  });

  const keyOf = ({ id: tenantId }: Party, sagaId: string, saga = bankPayment): string =>
    saga === bankPayment ? bankKeyOf({ tenantId, sagaId }) : stepKey(sagaId, 'reserve');

  /** At rest: what has left the wallet is what the bank has paid, nothing is held, and the books are whole. */
  async function judge(
    payer: Party,
    id: string,
    state: DrilledSaga['state'],
    saga = bankPayment,
  ): Promise<void> {
    const isMade = state === 'completed';
    expect(await stage.wallet(payer)).toEqual({ has: isMade ? FUNDS - AMOUNT : FUNDS, held: 0n });
    expect(bank.payments.get(keyOf(payer, id, saga)) === 'paid').toBe(isMade);
    expect(await stage.breaks(payer)).toEqual([]);
    // What was begun, and has ended, keeps no account of anybody.
    const kept = await stage.database.admin<{ iban: string }>(
      `select input->>'toIban' as iban from sagas.sagas where id = $1 and ended_at is not null`,
      [id],
    );
    expect(kept.map(({ iban }) => iban)).toEqual(
      ['completed', 'compensated'].includes(state) ? ['DE…3000'] : [],
    );
    const undone = await stage.compensations(id);
    expect(undone).toEqual(['reserve', 'hold', 'request'].filter((step) => undone.includes(step)));
    await judgeTold(payer, id, state);
  }

  /** What is told of it on the payer's streams: its beginning and its end, which fold to what it is, and no account at the bank. */
  async function judgeTold(payer: Party, id: string, state: DrilledSaga['state']): Promise<void> {
    const told = await stage.database.admin<FoldedEvent>(
      `select id, stream_type as "streamType", stream_id as "streamId", stream_version as "streamVersion", type,
         schema_version as "schemaVersion", occurred_at::text as "occurredAt", data
       from events.log where tenant_id = $1 and stream_type = 'payments.payment' order by seq`,
      [payer.id],
    );
    expect(told.map(({ streamId, type }) => [streamId, type.split('.')[2]])).toEqual(
      (await toldOf(payer, id, state)).map((what) => [id, what]),
    );
    expect(JSON.stringify(told)).not.toContain(inputOf(payer).toIban);
    const folded = foldStream('payments.payment', told);
    const rows = await stage.tenants.transaction(payer.caller, (tx) =>
      tx.rows(foldedPayments.rows, [tx.tenantId, '00000000-0000-0000-0000-000000000000', 2]),
    );
    expect(rows).toEqual(folded ? [{ ...folded, id, streamVersion: BigInt(told.length) }] : []);
  }

  async function toldOf(payer: Party, id: string, state: DrilledSaga['state']): Promise<readonly string[]> {
    const begun = await stage.database.admin<{ isRequested: boolean }>(
      `select results ? 'request' as "isRequested" from sagas.sagas where id = $1`,
      [id],
    );
    if (begun[0]?.isRequested !== true) return [];
    if (state === 'completed') return ['bank_requested', 'sent', 'completed'];
    return ['bank_requested', ...(state === 'compensated' ? [(await stage.payment(payer, id)).status] : [])];
  }

  it('is done or undone in every fault at every transaction', async () => {
    const payers = new Map<string, Party>();
    const cases = await drillSaga({
      database: stage.database,
      saga: bankPayment,
      arrange: async () => {
        const payer = await stage.party();
        payers.set(payer.id, payer);
        return { tenantId: payer.id, input: inputOf(payer) };
      },
      check: async ({ id, tenantId, state }) => {
        const payer = payers.get(tenantId);
        if (!payer) throw new Error('a saga of nobody');
        await judge(payer, id, state);
      },
    });
    expect(cases).toBeGreaterThan(40);
  }, 240_000);

  it.each([
    [{ toIban: { $ne: '' } }],
    [{ toIban: 'DE89' }],
    [{ amount: '9223372036854775808' }],
    [{ amount: '-1' }],
    [{ asset: null }],
    [{ fromAccountId: 'mine' }],
  ])(
    'begins with nothing but what the API takes, whatever statement is injected: not with %j',
    async (spoilt) => {
      const payer = await stage.party();
      const values = [payer.id, bankPayment.hash, JSON.stringify({ ...inputOf(payer), ...spoilt })];
      await expect(
        stage.tenants.transaction(payer.caller, (tx) => tx.execute(BEGIN, values)),
      ).rejects.toMatchObject({ code: 'HF003' });
    },
  );

  it('holds nothing, and asks no bank, for a tenant that is suspended', async () => {
    const payer = await stage.party();
    await stage.database.admin("update auth.tenants set state = 'suspended' where id = $1", [payer.id]);
    const id = await begin(payer);
    expect(await ended(id)).toBe('compensated');
    expect(await stage.payment(payer, id)).toMatchObject({ status: 'failed', code: 'tenants.suspended' });
    expect(bank.asked).toEqual([]);
    await judge(payer, id, 'compensated');
  });

  it('ends under the definition that it began under, of which nothing is announced and whose keys are not the tenant’s', async () => {
    const payer = await stage.party();
    const id = await begin(payer, unannouncedBankPayment);
    expect(await ended(id)).toBe('completed');
    await judge(payer, id, 'completed', unannouncedBankPayment);
  });

  it('is no other tenant’s to pay or cancel at the bank, though it begins one under its id', async () => {
    const [payer, other] = [await stage.party(), await stage.party()];
    const id = await begin(payer);
    expect(await ended(id)).toBe('completed');
    bank.plans.push('pays', 'refuses');
    await begin(other, bankPayment, id);
    await runner.whenIdle(id);
    expect(await stage.payment(other, id)).toMatchObject({ code: 'payments.bank_refused' });
    expect([payer, other].map((each) => bank.payments.get(keyOf(each, id)))).toEqual(['paid', 'refused']);
  });

  it('tells that it has failed where nothing was held', async () => {
    const payer = await stage.party('credit', AMOUNT - 1n);
    const id = await begin(payer);
    expect(await ended(id)).toBe('compensated');
    expect(await stage.payment(payer, id)).toMatchObject({
      status: 'failed',
      code: 'ledger.exceeds_credits',
    });
    await judgeTold(payer, id, 'compensated');
  });

  it('is made whatever codes the tenant has given to accounts of its own', async () => {
    const payer = await stage.party();
    await stage.account(payer.caller, { code: 'payments/bank/EUR/2' });
    const id = await begin(payer);
    expect(await ended(id)).toBe('completed');
    await judge(payer, id, 'completed');
  });

  it('asks no bank where an account of the tenant’s own has the id of the bank’s', async () => {
    const payer = await stage.party();
    await stage.database.admin(
      `insert into ledger.accounts (tenant_id, id, code, asset, normal_balance, limit_rule)
       values ($1, $2, 'mine', 'EUR/2', 'credit', 'none')`,
      [payer.id, bankAccountId(payer.id, 'EUR/2')],
    );
    const id = await begin(payer);
    expect(await ended(id)).toBe('compensated');
    expect(bank.asked).toEqual([]);
    await judge(payer, id, 'compensated');
  });

  describe('over a bank that', () => {
    const ENDS: Readonly<Record<BankPlan, DrilledSaga['state']>> = {
      ...{
        pays: 'completed',
        fails: 'completed',
        'loses its answer': 'completed',
        'answers twice': 'completed',
      },
      ...{ 'pays late': 'completed', 'refuses late': 'compensated', refuses: 'compensated' },
      ...{ 'is delayed': 'completed', 'talks nonsense': 'completed' },
    };

    it.each(BANK_PLANS)('%s', async (plan) => {
      const payer = await stage.party();
      bank.plans.push(plan);
      const id = await begin(payer);
      expect(await ended(id)).toBe(ENDS[plan]);
      expect(bank.plans).toEqual([]);
      await judge(payer, id, ENDS[plan]);
    });

    const first = Math.floor(Math.random() * 2 ** 31);
    it(
      `does whatever it likes to twenty payments at once: ${SEEDS} seeds from ${first}`,
      async () => {
        for (let seed = first; seed < first + SEEDS; seed += 1) {
          const random = new Random(seed);
          bank.plans.length = 0;
          for (let n = 0; n < 60; n += 1) bank.plans.push(random.pick(BANK_PLANS));
          const payers = await Promise.all(Array.from({ length: 20 }, () => stage.party()));
          const ids = await Promise.all(payers.map((payer) => begin(payer)));
          for (const [index, payer] of payers.entries()) {
            const id = ids[index] ?? '';
            const state = await ended(id);
            expect([seed, state]).not.toEqual([seed, 'running']);
            await judge(payer, id, state as DrilledSaga['state']);
          }
          // Whatever it was to do it has done.
          expect([seed, bank.plans.length < 40]).toEqual([seed, true]);
        }
      },
      IS_LONG ? 600_000 : 60_000,
    );

    it.each([
      ['once', 1, ['PUT', 'pay', 'pay']],
      ['whenever it is told', 3, ['PUT', 'pay', 'pay', 'pay', 'GET']],
    ])('loses its answer %s is told the same again, then asked, and pays once', async (_, times, asked) => {
      payAnew();
      const payer = await stage.party();
      bank.plans.push('pays', ...Array<BankPlan>(times).fill('loses its answer'));
      const id = await begin(payer);
      expect(await ended(id)).toBe('completed');
      expect(bank.asked).toEqual(asked);
      expect(bank.waits.every((waitMs) => waitMs > 0 && waitMs <= SETTINGS.attemptMs)).toBe(true);
      await judge(payer, id, 'completed');
    });

    it('is not heard of any more once it is to pay: what is held stays so until it is, and is never given back', async () => {
      const payer = await stage.party();
      bank.fallsSilent = true;
      const id = await begin(payer);
      expect(await ended(id)).toBe('needs_operator');
      expect(bank.payments.get(keyOf(payer, id))).toBe('paid');
      expect(await stage.wallet(payer)).toEqual({ has: FUNDS, held: AMOUNT });
      await expect(stage.steer(payer, id, 'compensate')).rejects.toMatchObject({ code: 'sagas.committed' });
      [bank.fallsSilent, bank.isMute] = [false, false];
      await stage.steer(payer, id, 'retry');
      expect(await ended(id)).toBe('completed');
      expect(await stage.payment(payer, id)).toMatchObject({ status: 'completed', code: null });
      await judge(payer, id, 'completed');
    });

    it('takes a payment after its cancellation, to no effect', async () => {
      const payer = await stage.party();
      bank.delayMs = 1_500;
      bank.plans.push('is delayed', 'is delayed', 'is delayed');
      const id = await begin(payer);
      await stage.tenants.transaction(payer.caller, (tx) => steerSaga(tx, id, 'cancel'));
      expect(await ended(id)).toBe('compensated');
      bank.delayMs = 250;
      await judge(payer, id, 'compensated');
      // What was given up arrives at the bank behind the cancellation.
      await sleep(2_000);
      await judge(payer, id, 'compensated');
    });

    it('takes nothing back: a person is asked for, and the payment is undone once it does', async () => {
      const payer = await stage.party();
      [bank.isMute, bank.isStubborn] = [true, true];
      const id = await begin(payer);
      while (bank.payments.get(keyOf(payer, id)) !== 'accepted') await sleep(10);
      await stage.tenants.transaction(payer.caller, (tx) => steerSaga(tx, id, 'cancel'));
      expect(await ended(id)).toBe('needs_operator');
      // Until then it stays held: nobody knows whether the bank has paid.
      expect(await stage.wallet(payer)).toEqual({ has: FUNDS, held: AMOUNT });
      bank.isStubborn = false;
      await stage.tenants.transaction(payer.caller, (tx) => steerSaga(tx, id, 'retry'));
      expect(await ended(id)).toBe('compensated');
      await judge(payer, id, 'compensated');
    });
  });
});
