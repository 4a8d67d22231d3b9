import { newId } from '@holdfast/kernel';
import { sendPaymentInput } from './payment';
import type { PaymentInput } from './payment-legs';
import { clearingAccountId } from './payment-legs';
import { Payments, paymentsInput } from './payments.query';
import { FUNDS, type Party, PaymentsStage } from '../test/payments-stage';

describe('SendPayment', () => {
  let stage: PaymentsStage;
  let payer: Party;
  let payee: Party;
  beforeAll(async () => void (stage = await PaymentsStage.open()));
  afterAll(() => stage.close());
  beforeEach(async () => {
    [payer, payee] = [await stage.party(), await stage.party()];
  });

  const pay = (changes: Partial<PaymentInput> = {}): ReturnType<PaymentsStage['pay']> =>
    stage.pay(payer, { ...stage.input(payer, payee), ...changes });

  it('moves the amount in both books, and each side sees its half', async () => {
    const sent = await pay();
    expect(sent).toMatchObject({
      ...{ status: 'completed', direction: 'outgoing', amount: '100', code: null },
      ...{ fromTenantId: payer.id, fromAccountId: payer.wallet, toTenantId: payee.id },
    });
    expect(await stage.payment(payee, sent.id)).toMatchObject({
      ...{ status: 'completed', direction: 'incoming', amount: '100' },
      ...{ fromTenantId: payer.id, fromAccountId: null, toAccountId: payee.wallet },
    });
    expect([await stage.wallet(payer), await stage.wallet(payee)]).toEqual([
      ...[
        { has: FUNDS - 100n, held: 0n },
        { has: FUNDS + 100n, held: 0n },
      ],
    ]);
    const events = await stage.database.admin<{ tenant_id: string; type: string }>(
      `select tenant_id, type from events.log where stream_type = 'payments.payment' and stream_id = $1 order by seq`,
      [sent.id],
    );
    const of = ({ id }: Party): string[] =>
      events
        .filter((each) => each.tenant_id === id)
        .map(({ type }) => type.slice('payments.payment.'.length));
    expect([of(payer), of(payee)]).toEqual([
      ['requested', 'decided', 'sent', 'completed'],
      ['accepted', 'completed'],
    ]);
  });

  it('takes from accounts with the debit side as their normal one, too', async () => {
    [payer, payee] = [await stage.party('debit'), await stage.party('debit')];
    expect(await pay()).toMatchObject({ status: 'completed' });
    expect([await stage.wallet(payer), await stage.wallet(payee)]).toEqual([
      ...[
        { has: FUNDS - 100n, held: 0n },
        { has: FUNDS + 100n, held: 0n },
      ],
    ]);
  });

  it('refuses at once what is wrong on the side of the payer', async () => {
    const closed = await stage.account(payer.caller, {});
    await stage.database.admin('update ledger.accounts set closed_at = now() where id = $1', [closed]);
    await pay();
    const cases: [Partial<PaymentInput>, string][] = [
      [{ toTenantId: payer.id, toAccountId: payer.source }, 'payments.same_tenant'],
      [{ fromAccountId: newId() }, 'ledger.account_not_found'],
      [{ fromAccountId: payee.wallet }, 'ledger.account_not_found'],
      [{ asset: 'USD/2' }, 'ledger.asset_mismatch'],
      [{ fromAccountId: closed }, 'ledger.account_closed'],
      [{ fromAccountId: clearingAccountId(payer.id, payee.id, 'EUR/2') }, 'ledger.account_reserved'],
    ];
    for (const [changes, code] of cases) await expect(pay(changes)).rejects.toMatchObject({ code });
  });

  it('fails without a trace on the other side where the money is not there', async () => {
    const failed = await pay({ amount: String(FUNDS + 1n) });
    expect(failed).toMatchObject({ status: 'failed', code: 'ledger.exceeds_credits', holdId: null });
    await expect(stage.payment(payee, failed.id)).rejects.toMatchObject({ code: 'resource.not_found' });
  });

  it('tells the payer by one code that the payee takes no part, and nothing else', async () => {
    const other = await stage.party();
    await stage.database.admin(`update auth.tenants set state = 'suspended' where id = $1`, [other.id]);
    const erased = await stage.party();
    await stage.database.admin(`update auth.tenants set state = 'erased' where id = $1`, [erased.id]);
    const closed = await stage.account(payee.caller, {});
    await stage.database.admin('update ledger.accounts set closed_at = now() where id = $1', [closed]);
    const nobody = newId();
    await pay();
    const cases: Partial<PaymentInput>[] = [
      { toTenantId: nobody },
      { toAccountId: newId() },
      { toAccountId: payer.wallet },
      { toAccountId: closed },
      { toAccountId: await stage.account(payee.caller, { asset: 'USD/2' }) },
      { toAccountId: payee.source },
      { toAccountId: clearingAccountId(payee.id, payer.id, 'EUR/2') },
      { toAccountId: await stage.account(payee.caller, { limit: 'credits_must_not_exceed_debits' }) },
      { toTenantId: other.id, toAccountId: other.wallet },
      { toTenantId: erased.id, toAccountId: erased.wallet },
    ];
    const trails = new Set<string>();
    for (const changes of cases) {
      const refused = await pay(changes);
      expect(refused).toMatchObject({ status: 'compensated', code: 'payments.payee_refused' });
      trails.add(await trailOf(refused.id));
    }
    // Whatever the reason, the payer's own trail tells the same.
    expect(trails.size).toBe(1);
    expect(await stage.wallet(payer)).toEqual({ has: FUNDS - 100n, held: 0n });
    const traces = await stage.database.admin('select from events.log where tenant_id = $1', [nobody]);
    expect(traces).toEqual([]);
  });

  /** What the payer's tenant is told of a payment, without what names one. */
  async function trailOf(id: string): Promise<string> {
    const rows = await stage.database.admin<{ text: string }>(
      `select type || coalesce(data->>'code', '') || coalesce(data->>'place', '') as text from events.log
       where tenant_id = $1 and stream_id = $2 order by seq`,
      [payer.id, id],
    );
    return rows.map(({ text }) => text).join();
  }

  it('takes null for what is left out, and names either a tenant or a bank', () => {
    const what = { fromAccountId: newId(), amount: '1', asset: 'EUR/2' };
    const toTenant = { toTenantId: newId(), toAccountId: newId() };
    const toBank = { toIban: 'DE89370400440532013000' };
    const none = { toTenantId: null, toAccountId: null, toIban: null };
    const takes = (to: object): boolean => sendPaymentInput.safeParse({ ...what, ...to }).success;
    expect([toTenant, toBank].map((to) => [takes(to), takes({ ...none, ...to })])).toEqual([
      [true, true],
      [true, true],
    ]);
    const wrong = [none, { ...toTenant, ...toBank }, { ...toTenant, toAccountId: null }];
    expect(wrong.map(takes)).toEqual([false, false, false]);
    // With the first of its examples one tries it out at /docs.
    const examples = sendPaymentInput.meta()?.['examples'] as object[];
    expect(examples.map(takes)).toEqual([true, true]);
  });

  it('is listed by direction, status and counterparty, page by page', async () => {
    const [first, second] = [await pay(), await pay({ toAccountId: newId() })];
    const list = async (filter: object): Promise<string[]> => {
      const { data } = await stage.queries.execute(new Payments(payer.caller, paymentsInput.parse(filter)));
      return data.map(({ id }) => id);
    };
    expect(await list({})).toEqual([second.id, first.id]);
    expect(await list({ status: 'completed' })).toEqual([first.id]);
    expect(await list({ direction: 'incoming' })).toEqual([]);
    expect(await list({ counterpartyTenantId: newId() })).toEqual([]);
    const page = await stage.queries.execute(new Payments(payer.caller, paymentsInput.parse({ limit: 1 })));
    expect(await list({ limit: 1, after: page.nextCursor })).toEqual([first.id]);
  });
});
