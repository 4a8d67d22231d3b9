import { setTimeout as sleep } from 'node:timers/promises';
import { newId } from '@holdfast/kernel';
import { SystemTx } from '@holdfast/database';
import { metricsText } from '@holdfast/observability';
import { rowsRead } from '@holdfast/testing';
import { FUNDS, type Party, PaymentsStage } from '../test/payments-stage';
import { type ClearingPair, lookAtClearings } from './clearing.sql';
import {
  ClearingAccountBroken,
  ClearingBroken,
  ClearingControls,
  findClearingBreaks,
} from './clearing-controls';
import { clearingAccountBreaks } from './payments-metrics';

const PAGE = 10;
const ERASED = 25;
const PAIRS = 2_000;

// Guards the invariant of the README: no pair that is broken is missed, and none that a tenant has left behind is taken for one.
describe('The controls of clearing accounts', () => {
  let stage: PaymentsStage;
  let payer: Party;
  let payee: Party;
  beforeAll(async () => {
    stage = await PaymentsStage.open();
    [payer, payee] = [await stage.party(), await stage.party()];
    await stage.pay(payer, stage.input(payer, payee));
  });
  afterAll(() => stage.close());

  const relay = (): ReturnType<PaymentsStage['database']['as']> => stage.database.as('holdfast_relay', 1);
  const setNet = (party: Party, net: bigint): Promise<unknown> =>
    stage.database.admin(
      'update payments.clearings set net = $2 where tenant_id = $1 and counterparty_id = any ($3)',
      [...[party.id, net, [payer.id, payee.id]]],
    );

  const looking = (): readonly [ClearingControls, unknown[]] => {
    const reports: unknown[] = [];
    const report = (error: unknown): void => void reports.push(error);
    const { tenants, grants } = stage;
    return [new ClearingControls({ tenants, relay: relay(), grants, report }), reports];
  };
  const accountBreaks = async (): Promise<number | undefined> =>
    (await clearingAccountBreaks.get()).values[0]?.value;

  it('find accounts that are wrong by the same amount, though they add up, until they are mended', async () => {
    const [controls, reports] = looking();
    await setNet(payer, 101n);
    await setNet(payee, -101n);
    expect(await controls.look()).toEqual([]);
    expect(reports).toEqual([expect.any(ClearingAccountBroken), expect.any(ClearingAccountBroken)]);
    expect(String(reports[0])).toContain('payments have booked 101, posted is 100');
    expect(await accountBreaks()).toBe(2);
    await setNet(payer, 100n);
    await setNet(payee, -100n);
    await controls.look();
    expect(await accountBreaks()).toBe(0);
  });

  it('find a pair that does not add up, report it, and find none once it does', async () => {
    const [controls, reports] = looking();
    expect(await controls.look()).toEqual([]);
    await setNet(payer, 101n);
    const [found, ...more] = await controls.look();
    expect(more).toEqual([]);
    // Ids of tenants ascend: the payer's is the first of the pair.
    const pair = { tenantId: payer.id, counterpartyId: payee.id, asset: 'EUR/2' };
    expect(found).toMatchObject({ ...pair, sum: '1', inFlight: '0', hasCounterpart: true });
    expect(reports).toEqual([expect.any(ClearingBroken), expect.any(ClearingAccountBroken)]);
    // More than one account can have.
    for (const party of [payer, payee]) await setNet(party, 2n ** 63n - 1n);
    expect(await controls.look()).toMatchObject([{ ...pair, sum: String(2n ** 64n - 2n) }]);
    await setNet(payer, 100n);
    await setNet(payee, -100n);
    expect(await controls.look()).toEqual([]);
  });

  it(`look at ${PAGE} pairs by one statement, however many add up, and at all of them in the end`, async () => {
    const first = '00000000-0000-7000-8000-000000000000';
    await stage.database.admin(
      `with others as (select ('00000000-0000-7000-8001-' || lpad(i::text, 12, '0'))::uuid as id from generate_series(1, $2::int) i)
       insert into payments.clearings (tenant_id, counterparty_id, asset, account_id, net)
       select $1, id, 'EUR/2', gen_random_uuid(), 7 from others
       union all
       select id, $1, 'EUR/2', gen_random_uuid(), -7 from others`,
      [first, PAIRS],
    );
    await stage.database.admin('vacuum analyze payments.clearings', []);
    await relay().transaction(
      (connection) => new SystemTx(connection, 'read only'),
      async (tx) => {
        // Behind the fifth time PostgreSQL may keep a plan that does for any values.
        for (let page = 0, last: ClearingPair | undefined; page < 8; page += 1) {
          const looked = await lookAtClearings(tx, last, PAGE);
          expect(looked.breaks).toEqual([]);
          expect(looked.last?.counterpartyId.endsWith(`0${(page + 1) * PAGE}`)).toBe(true);
          ({ last } = looked);
        }
        // Each, with its counterpart.
        expect(await rowsRead(tx, 'payments.clearings')).toBeLessThanOrEqual(8 * 2 * PAGE);
      },
    );
    const last = `00000000-0000-7000-8001-${String(PAIRS).padStart(12, '0')}`;
    await stage.database.admin('update payments.clearings set net = -8 where tenant_id = $1', [last]);
    expect(await findClearingBreaks({ relay: relay(), grants: stage.grants })).toMatchObject([
      { tenantId: first, counterpartyId: last, sum: '-1', inFlight: '0' },
    ]);
    await stage.database.admin('delete from payments.clearings where $1 in (tenant_id, counterparty_id)', [
      first,
    ]);
  });

  it('tell how long ago they came to the end of a look, and not of one that failed', async () => {
    const age = async (): Promise<number> =>
      Number(/^holdfast_payments_clearing_look_age_seconds (.+)$/m.exec((await metricsText()).text)?.[1]);
    const [controls] = looking();
    await controls.look();
    await sleep(50);
    const before = await age();
    expect(before).toBeGreaterThan(0.04);
    await stage.database.admin('revoke select on payments.clearings from holdfast_relay', []);
    await expect(controls.look()).rejects.toThrow('permission denied');
    expect(await age()).toBeGreaterThan(before);
    await stage.database.admin('grant select on payments.clearings to holdfast_relay', []);
    const asked = performance.now();
    await controls.look();
    expect(await age()).toBeLessThan((performance.now() - asked) / 1_000);
  });

  it(`find it behind ${ERASED} pairs with tenants that are erased, and where the other tenant has no account`, async () => {
    // Before those of the two.
    const first = '00000000-0000-7000-8000-000000000001';
    const erased = Array.from({ length: ERASED }, () => newId());
    await stage.database.admin(
      `insert into auth.tenants (id, slug, state) select id, 't-' || id, 'erased' from unnest($1::uuid[]) id`,
      [erased],
    );
    await stage.database.admin(
      `insert into payments.clearings (tenant_id, counterparty_id, asset, account_id, net)
       select $1, id, 'EUR/2', gen_random_uuid(), 7 from unnest($2::uuid[]) id`,
      [first, erased],
    );
    const found = (): ReturnType<typeof findClearingBreaks> =>
      findClearingBreaks({ relay: relay(), grants: stage.grants }, PAGE);
    expect(await found()).toEqual([]);
    await setNet(payer, FUNDS);
    expect(await found()).toMatchObject([{ sum: String(FUNDS - 100n) }]);
    // The counterpart that is there owes its account.
    await stage.database.admin('delete from payments.clearings where tenant_id = $1', [payee.id]);
    expect(await found()).toMatchObject([
      { tenantId: payer.id, counterpartyId: payee.id, hasCounterpart: false },
    ]);
  });
});
