import { newId } from '@holdfast/kernel';
import { sqlState, statement } from '@holdfast/database';
import { findOpenHolds, PostHold, postInTransaction, VoidHold } from '@holdfast/ledger';
import { findOpenSaga, SagaRunner, stepKey } from '@holdfast/sagas';
import { announcement } from '@holdfast/tenancy';
import { fixtureMade } from '@holdfast/testing';
import { olderPayment } from '../test/older-payment';
import { BOTH_HELD, DECIDED, FUNDS, type Party, PaymentsStage } from '../test/payments-stage';
import { clearingAccountId, type PaymentInput, request } from './payment-legs';
import { payment } from './payment.saga';
import { paymentRequested } from './payments.events';
import { insertPayment } from './payments.sql';

type Injected = readonly [sql: string, ...values: unknown[]];

// Promise 8: what is held for a payment nobody takes away, and nothing refuses its end. Each case is a decision of the README.
describe('A payment whose halves are held', () => {
  let stage: PaymentsStage;
  let payer: Party;
  let payee: Party;
  beforeAll(async () => void (stage = await PaymentsStage.open()));
  afterAll(() => stage.close());
  beforeEach(async () => {
    [payer, payee] = [await stage.party(), await stage.party()];
  });

  const holdOf = async (party: Party, id: string): Promise<string> =>
    (await stage.payment(party, id)).holdId ?? '';

  const admin = (sql: string, values: readonly unknown[]): Promise<unknown[]> =>
    stage.database.admin(sql, values);

  async function expectMade(id: string): Promise<void> {
    expect(await stage.resume(id, payer)).toBe('completed');
    expect([await stage.wallet(payer), await stage.wallet(payee)]).toEqual([
      ...[
        { has: FUNDS - 100n, held: 0n },
        { has: FUNDS + 100n, held: 0n },
      ],
    ]);
    expect(await stage.breaks(payer, payee)).toEqual([]);
  }

  async function expectUntouched(): Promise<void> {
    for (const party of [payer, payee]) expect(await stage.wallet(party)).toEqual({ has: FUNDS, held: 0n });
  }

  async function expectUndone(id: string): Promise<void> {
    await stage.steer(payer, id, 'cancel');
    expect(await stage.resume(id)).toBe('compensated');
    await expectUntouched();
    expect(await stage.breaks(payer, payee)).toEqual([]);
  }

  it('is posted and voided by nobody else, whatever scope they have', async () => {
    const id = await stage.halted(payer, payee, BOTH_HELD);
    for (const party of [payer, payee]) {
      const { caller } = party;
      const holdId = await holdOf(party, id);
      // A refusal is remembered under its id: none that one could guess is the saga's.
      for (const name of ['post', 'post_for_payee', 'hold', 'hold_for_payee'])
        await expect(
          stage.commands.execute(new PostHold(caller, { id: stepKey(id, name), holdId, metadata: {} })),
        ).rejects.toMatchObject({ code: 'ledger.account_reserved' });
      const refused = { code: 'ledger.account_reserved' };
      const input = { holdId, metadata: {} };
      await expect(stage.commands.execute(new VoidHold(caller, input))).rejects.toMatchObject(refused);
      await expect(stage.commands.execute(new PostHold(caller, input))).rejects.toMatchObject(refused);
    }
    await expectMade(id);
    await expect(
      stage.commands.execute(new VoidHold(payer.caller, { holdId: await holdOf(payer, id), metadata: {} })),
    ).rejects.toMatchObject({ code: 'ledger.hold_posted' });
  });

  it('has clearing accounts that no user books on', async () => {
    const id = await stage.halted(payer, payee, BOTH_HELD);
    const clearing = clearingAccountId(payer.id, payee.id, 'EUR/2');
    const item = { debitAccountId: clearing, creditAccountId: payer.wallet, amount: '1' };
    const booked = await stage.tenants.transaction(payer.caller, (tx) =>
      postInTransaction(tx, [
        { ...item, id: newId() },
        { ...item, id: newId(), pending: true },
      ]),
    );
    expect(booked.map(({ result }) => result)).toEqual(Array(2).fill('ledger.account_reserved'));
    await expectMade(id);
  });

  it.each([
    ['closed accounts', 'update ledger.accounts set closed_at = now() where tenant_id = any ($1)'],
    [
      'periods that are closed',
      `insert into ledger.books (tenant_id, closed_through)
       select unnest($1::uuid[]), (now() at time zone 'utc')::date`,
    ],
    ['suspended tenants', `update auth.tenants set state = 'suspended' where id = any ($1)`],
    ['tenants that wait for their erasure', `update auth.tenants set state = 'closing' where id = any ($1)`],
  ])('is ended over %s, either way', async (_, sql) => {
    const made = await stage.halted(payer, payee, BOTH_HELD);
    await admin(sql, [[payer.id, payee.id]]);
    await expectMade(made);
    [payer, payee] = [await stage.party(), await stage.party()];
    const undone = await stage.halted(payer, payee, BOTH_HELD);
    await admin(sql, [[payer.id, payee.id]]);
    await expectUndone(undone);
  });

  /** Begins a saga, and does not go on with it. */
  const begin = ({ caller }: Party, input: PaymentInput, id: string): Promise<string> => {
    const { tenants, grants } = stage;
    const idle = new SagaRunner({ tenants, grants, report: () => {}, lanes: 0 });
    return tenants.transaction(caller, async (tx) => {
      await request(tx, { paymentId: id, input });
      return idle.begin(tx, payment, input, id);
    });
  };

  // As if it were injected into a request of the tenant: in its own context, with whatever event is asked for.
  const inject = ({ caller }: Party, sql: string, values: readonly unknown[]): Promise<void> =>
    stage.tenants.transaction(caller, async (tx) => {
      await tx.announce(fixtureMade());
      await tx.execute(statement(`test.injected_${newId()}`, sql), [tx.tenantId, ...values]);
    });

  async function expectRefused(
    party: Party,
    [sql, ...values]: Injected,
    refusedWith = 'HF003',
  ): Promise<void> {
    const code = await inject(party, sql, values).then(
      () => 'nothing',
      (error: unknown) => sqlState(error) ?? sqlState((error as Error).cause),
    );
    expect([sql, code]).toEqual([sql, refusedWith]);
  }

  it('goes from step to step whatever statements of its tenants say', async () => {
    const id = await stage.halted(payer, payee, DECIDED);
    const other = await stage.halted(payer, payee, BOTH_HELD);
    const ofSaga = (set: string): string => `update sagas.sagas set ${set} where tenant_id = $1 and id = $2`;
    const beginnings = Object.entries({
      ...{ place: '5', version: '2', fence: '2' },
      ...{ lease_until: "'infinity'", due_at: "'infinity'" },
    });
    const ofPayers: readonly Injected[] = [
      [ofSaga('place = 5'), id],
      [ofSaga("place = 1, backward = true, state = 'compensating'"), id],
      [ofSaga('intended = true'), id],
      [ofSaga("input = '{}'"), id],
      [ofSaga("results = '{}'"), id],
      [ofSaga("state = 'completed', due_at = null, ended_at = now()"), id],
      [ofSaga("state = 'needs_operator', due_at = null"), id],
      // What would leave it where it is for ever.
      [ofSaga("lease_until = 'infinity'"), id],
      [ofSaga("lease_until = clock_timestamp() + interval '80 seconds'"), id],
      [ofSaga('lease_until = null'), id],
      [ofSaga("due_at = 'infinity'"), id],
      [ofSaga("due_at = '-infinity'"), id],
      [ofSaga('fence = fence + 1'), id],
      [ofSaga('version = version + 1'), id],
      [ofSaga('cancel_requested = true, version = version + 2'), id],
      ...beginnings.map(([column, value]): Injected => [
        `insert into sagas.sagas (tenant_id, id, name, hash, input, ${column}, deadline_at, correlation_id, started_by)
           select tenant_id, $3, name, hash, input, ${value}, deadline_at, correlation_id, started_by
           from sagas.sagas where tenant_id = $1 and id = $2`,
        ...[id, newId()],
      ]),
    ];
    const ofAll: readonly Injected[] = [
      [
        `update payments.payments set hold_id = (select o.hold_id from payments.payments o where o.tenant_id = $1 and o.id = $3)
         where tenant_id = $1 and id = $2`,
        ...[id, other],
      ],
      ['update payments.payments set posted_at = now() where tenant_id = $1 and id = $2', id],
      [
        `insert into payments.payments (tenant_id, id, direction, counterparty_id, account_id, amount, asset)
         select tenant_id, $3, 'incoming', counterparty_id, account_id, amount, asset
         from payments.payments where tenant_id = $1 and id = $2`,
        ...[id, newId()],
      ],
      ['update payments.clearings set net = 0 where tenant_id = $1'],
    ];
    const ofPayees: readonly Injected[] = [
      [
        `insert into sagas.participations (tenant_id, id, saga_id, name, step, state)
         values ($1, $2, $3, 'payments.payment', 'post_for_payee', 'completed')`,
        ...[stepKey(id, 'post_for_payee'), id],
      ],
      ["update sagas.participations set state = 'compensated' where tenant_id = $1"],
    ];
    // An event in the place of that which the next step tells.
    const ahead = (streamType: string, streamId: string, version: number): Injected => [
      `select events.append(array[gen_random_uuid()], array[$2 || '.told'], array[1], array[$2], array[$3::uuid], array[$4::bigint],
         array['{}'::jsonb], array['none'], array[null::text], array[null::text]) where $1::uuid <> $3::uuid`,
      ...[streamType, streamId, version],
    ];
    const begun = (version: number, asset = 'asset', createdAt = 'now()'): Injected => [
      `insert into payments.payments (tenant_id, id, direction, counterparty_id, account_id, counterparty_account_id, amount, version,
         asset, created_at)
       select tenant_id, $3, direction, counterparty_id, account_id, counterparty_account_id, amount, $4, ${asset}, ${createdAt}
       from payments.payments where tenant_id = $1 and id = $2`,
      ...[id, newId(), version],
    ];
    await expectRefused(payer, ahead('sagas.saga', id, 6));
    await expectRefused(payer, ahead('payments.payment', id, 3));
    await expectRefused(payee, ahead('payments.payment', id, 2));
    await expectRefused(payee, ahead('sagas.participation', stepKey(id, 'post_for_payee'), 1));
    await expectRefused(payer, begun(7));
    await expectRefused(payer, begun(1, "repeat('X', 17)"));
    await expectRefused(payer, begun(1, 'asset', "'infinity'"));
    await expectRefused(payer, begun(1), 'HF030');
    await expectRefused(payer, [ofSaga('cancel_requested = true, version = version + 1'), other], 'HF030');
    for (const injected of [...ofPayers, ...ofAll]) await expectRefused(payer, injected);
    for (const injected of [...ofPayees, ...ofAll]) await expectRefused(payee, injected);
    expect(await stage.resume(other)).toBe('completed');
    expect(await stage.resume(id)).toBe('completed');
    expect(await stage.breaks(payer, payee)).toEqual([]);
  });

  it('is not held where a half says something else than its saga', async () => {
    const [id, input] = [newId(), stage.input(payer, payee)];
    const half = { id, direction: 'outgoing', counterpartyId: payee.id, accountId: payer.wallet } as const;
    await stage.tenants.transaction(payer.caller, async (tx) => {
      await insertPayment(tx, { ...half, counterpartyAccountId: payee.wallet, amount: '1', asset: 'EUR/2' });
      await tx.announce(announcement(paymentRequested, { id, version: 1n }, { ...input, amount: '1' }));
      await stage.runner.begin(tx, payment, input, id);
    });
    expect(await stage.resume(id)).toBe('compensated');
    await expectUntouched();
    expect(await stage.halves(id)).toEqual({
      [payer.id]: { status: 'failed', reason: 'sagas.failed.PaymentDiffers' },
    });
  });

  it.each([
    ['goes on', false],
    ['is given up', true],
  ])('is not taken for one of the payee’s own that has its id and %s', async (_, isGivenUp) => {
    const id = await stage.halted(payer, payee, BOTH_HELD);
    await begin(payee, stage.input(payee, payer), id);
    if (isGivenUp) await stage.steer(payee, id, 'cancel');
    expect(await stage.resume(id, payee)).toBe('compensated');
    expect(await stage.payment(payee, id)).toMatchObject({ direction: 'incoming', status: 'pending' });
    await expectMade(id);
  });

  it('has failed where it is cancelled before anything is done but asking for it', async () => {
    const id = await begin(payer, stage.input(payer, payee), newId());
    await stage.steer(payer, id, 'cancel');
    expect(await stage.resume(id)).toBe('compensated');
    await expectUntouched();
    expect(await stage.halves(id)).toEqual({ [payer.id]: { status: 'failed', reason: 'sagas.cancelled' } });
  });

  it('is held on no account but those of payments, whoever opens one under their ids first', async () => {
    const clearing = clearingAccountId(payer.id, payee.id, 'EUR/2');
    const opened = `insert into ledger.accounts (tenant_id, id, code, asset, normal_balance, limit_rule)
       values ($1, $2, 'mine', 'EUR/2', 'credit', 'none')`;
    await expectRefused(payer, [opened, clearing]);
    // From before that was refused.
    await admin(opened, [payer.id, clearing]);
    const id = await stage.halted(payer, payee, BOTH_HELD);
    expect(await stage.resume(id)).toBe('compensated');
    expect(await stage.halves(id)).toEqual({
      [payer.id]: { status: 'failed', reason: 'sagas.failed.AccountTaken' },
    });
    await expectUntouched();
  });

  it('keeps both tenants from erasure until it has ended', async () => {
    const id = await stage.halted(payer, payee, DECIDED);
    const blocked = async ({ caller }: Party): Promise<unknown[]> =>
      stage.tenants.transaction(caller, async (tx) => [await findOpenSaga(tx), await findOpenHolds(tx)]);
    expect(await blocked(payer)).toEqual([expect.any(String), expect.any(String)]);
    expect(await blocked(payee)).toEqual([undefined, expect.any(String)]);
    await expectMade(id);
    expect([await blocked(payer), await blocked(payee)]).toEqual([
      [undefined, undefined],
      [undefined, undefined],
    ]);
  });

  it('is ended by the tenant itself in a copy of it, which no saga knows', async () => {
    const id = await stage.halted(payer, payee, BOTH_HELD);
    const holdId = await holdOf(payer, id);
    const copy = await stage.copy(payer);
    await stage.commands.execute(new VoidHold(copy.caller, { holdId, metadata: {} }));
    expect(await stage.tenants.transaction(copy.caller, findOpenHolds)).toBeUndefined();
    expect(await stage.breaks(copy)).toEqual([]);
    await expectMade(id);
  });

  it('cannot be given up behind the decision', async () => {
    const id = await stage.halted(payer, payee, DECIDED);
    await expect(stage.steer(payer, id, 'cancel')).rejects.toMatchObject({ code: 'sagas.committed' });
    await expectMade(id);
  });

  /** Has updates of halves fail that are of such a kind. */
  async function sabotage(when: string): Promise<void> {
    await admin(
      `create or replace function payments.sabotage() returns trigger language plpgsql as $$ begin raise exception 'sabotage'; end $$`,
      [],
    );
    await admin(
      `create trigger sabotage before update on payments.payments for each row when (${when})
       execute function payments.sabotage()`,
      [],
    );
  }
  const endSabotage = (): Promise<unknown> => admin('drop trigger sabotage on payments.payments', []);

  const decides = "old.direction = 'outgoing' and old.hold_id is not null and new.status = 'pending'";
  it.each([
    ['its own code where its decision fails', decides, 'sagas.failed.error', 'sagas.failed.error'],
    [
      'nothing of why the payee’s half fails',
      ...["old.direction = 'incoming'", 'payments.payee_refused', 'sagas.failed.ParticipantFailed'],
    ],
  ])('tells the payer %s', async (_, when, code, reason) => {
    await sabotage(when);
    const id = await stage.halted(payer, payee, 1);
    expect(await stage.resume(id)).toBe('compensated');
    await endSabotage();
    expect(await stage.payment(payer, id)).toMatchObject({ status: 'compensated', code });
    expect(await admin('select reason from sagas.sagas where id = $1', [id])).toEqual([{ reason }]);
    await expectUntouched();
  });

  it.each([
    ['forward', DECIDED, 'completed'],
    ['backward', BOTH_HELD, 'compensated'],
  ] as const)(
    'waits for an operator when its %s way fails for good, and is finished by one',
    async (_, at, end) => {
      const id = await stage.halted(payer, payee, at);
      if (end === 'compensated') await stage.steer(payer, id, 'cancel');
      await sabotage("old.direction = 'incoming'");
      expect(await stage.resume(id)).toBe('needs_operator');
      expect(await stage.payment(payer, id)).toMatchObject({ status: 'needs_operator' });
      expect(await stage.payment(payee, id)).toMatchObject({ status: 'pending' });
      await endSabotage();
      await stage.steer(payer, id, 'retry');
      if (end === 'completed') await expectMade(id);
      else {
        expect(await stage.resume(id)).toBe('compensated');
        expect(await stage.payment(payer, id)).toMatchObject({ code: 'sagas.cancelled' });
        await expectUntouched();
      }
    },
  );

  it.each([
    ["lease_until = 'infinity'", BOTH_HELD, 'cancel', 'compensated'],
    ["cancel_requested = true, lease_until = 'infinity'", BOTH_HELD, 'compensate', 'compensated'],
    ["lease_until = clock_timestamp() + interval '1 year'", DECIDED, 'retry', 'completed'],
    ["due_at = 'infinity', lease_until = null", DECIDED, 'retry', 'completed'],
    ['version = version + 1, lease_until = null', DECIDED, 'retry', 'completed'],
  ] as const)('is freed by an operator where its row says %s', async (set, at, steering, end) => {
    const id = await stage.halted(payer, payee, at);
    await expect(stage.steer(payer, id, 'retry')).rejects.toMatchObject({ code: 'sagas.not_stopped' });
    await admin(`update sagas.sagas set ${set} where id = $1`, [id]);
    await stage.steer(payer, id, steering);
    await stage.runner.runDue();
    expect(await admin('select state from sagas.sagas where id = $1', [id])).toEqual([{ state: end }]);
    if (end === 'completed') await expectMade(id);
    else await expectUntouched();
  });

  it('ends under the definition that it began under', async () => {
    const id = await stage.halted(payer, payee, BOTH_HELD, olderPayment);
    const later = await stage.halted(payer, payee, BOTH_HELD);
    expect(await stage.resume(id)).toBe('completed');
    expect(await stage.resume(later)).toBe('completed');
    const rows = await stage.database.admin<{ hash: string; place: number }>(
      'select hash, place from sagas.sagas where id = any ($1) order by place',
      [[id, later]],
    );
    expect(rows).toEqual([
      { hash: olderPayment.hash, place: olderPayment.steps.length },
      { hash: payment.hash, place: payment.steps.length },
    ]);
    expect(await stage.halves(id)).toMatchObject({
      [payer.id]: { status: 'completed' },
      [payee.id]: { status: 'completed' },
    });
    expect(await stage.wallet(payer)).toEqual({ has: FUNDS - 200n, held: 0n });
  });
});
