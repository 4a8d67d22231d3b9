import { Random } from '@holdfast/testing';
import { Client } from 'pg';
import { ledgerTenant } from './ledger-faults/scene';
import { operatedTenant } from './ledger-faults/stage';
import { PaymentTraffic } from './update/payment-traffic';

const BREAKS = `
  select 'clearing accounts ' || asset || ' add up to ' || sum(posted_credits - posted_debits) || ', held ' || sum(pending_credits + pending_debits) as text
  from ledger.accounts where owner = 'payments'
  group by asset having sum(posted_credits - posted_debits) <> 0 or sum(pending_credits + pending_debits) <> 0
  union all
  select 'payment ' || p.id || ' is ' || p.status || ' here and ' || coalesce(i.status, 'nothing') || ' there'
  from payments.payments p
  left join payments.payments i on i.tenant_id = p.counterparty_id and i.id = p.id
  where p.direction = 'outgoing' and (p.status = 'completed') is distinct from (i.status is not distinct from 'completed')
  union all
  select 'saga ' || id || ' is ' || state from sagas.sagas where state not in ('completed', 'compensated')
  limit 20`;

/** Two tenants of their own that pay each other over whichever API serves; these know the operator's key of the tests. */
export async function paymentTraffic<Api extends { readonly url: string }>(
  apis: readonly Api[],
  serves: (api: Api) => boolean = () => true,
): Promise<PaymentTraffic<Api>> {
  const stage = { apis, tenant: () => operatedTenant(apis[0]?.url ?? '') };
  const parties = [await ledgerTenant(stage), await ledgerTenant(stage)] as const;
  return new PaymentTraffic(apis, parties, new Random(Date.now()), serves);
}

/**
 * No payment was refused or made twice. Once all have ended, clearing accounts add up to nothing and both halves of each agree. Answers
 * how many came to what.
 */
export async function expectPaid(
  payments: Pick<PaymentTraffic<{ readonly url: string }>, 'clients' | 'outcomes' | 'unsettled'>,
  adminUrl: string,
): Promise<string> {
  const { journal, offences } = payments.clients;
  expect([...payments.unsettled]).toEqual([]);
  expect(journal.filter(({ answer }) => answer.status !== 202)).toEqual([]);
  expect(offences).toEqual([]);
  const outcomes = await payments.outcomes();
  const { completed = 0, compensated: _undone, failed: _refused, ...others } = outcomes;
  expect([completed > 10, others]).toEqual([true, {}]);
  const client = new Client({ connectionString: adminUrl });
  await client.connect();
  const { rows } = await client.query<{ text: string }>(BREAKS);
  await client.end();
  expect(rows).toEqual([]);
  return `payments: ${JSON.stringify(outcomes)}`;
}
