import { drillSaga, type DrilledSaga } from '@holdfast/testing';
import { FUNDS, type Party, PaymentsStage } from '../test/payments-stage';
import type { PaymentInput } from './payment-legs';
import { payment } from './payment.saga';

const HELD_THERE_AND_BACK = ['ledger.hold.placed', 'ledger.hold.voided'];

// Promises 2 and 8: money is conserved, both books agree, and nothing is half done, whatever happens at whichever transaction.
describe('The saga of a payment', () => {
  let stage: PaymentsStage;
  beforeAll(async () => void (stage = await PaymentsStage.open()));
  afterAll(() => stage.close());

  async function judge({ id, state }: DrilledSaga, payer: Party, payee: Party): Promise<void> {
    const isMade = state === 'completed';
    const moved = isMade ? 100n : 0n;
    expect([await stage.wallet(payer), await stage.wallet(payee)]).toEqual([
      ...[
        { has: FUNDS - moved, held: 0n },
        { has: FUNDS + moved, held: 0n },
      ],
    ]);
    expect(await stage.clearing(payer, payee)).toEqual({ posted: '0', held: '0' });
    const halves = await stage.halves(id);
    if (isMade)
      expect([halves[payer.id]?.status, halves[payee.id]?.status]).toEqual(['completed', 'completed']);
    else {
      expect(['compensated', 'none']).toContain(state);
      expect([undefined, 'failed', 'compensated']).toContain(halves[payer.id]?.status);
      expect([undefined, 'compensated']).toContain(halves[payee.id]?.status);
      await judgeOrder(id, payer, payee);
    }
  }

  /** Compensations go back in the reverse order, in the saga's trail and in the ledgers. */
  async function judgeOrder(id: string, payer: Party, payee: Party): Promise<void> {
    const steps = payment.steps.map(({ name }) => name);
    const places = (await stage.compensations(id)).map((step) => steps.indexOf(step));
    expect(places).toEqual(places.toSorted((one, other) => other - one));
    const events = await stage.holdEvents(id);
    const of = ({ id: tenantId }: Party): string[] =>
      events.filter((each) => each.tenantId === tenantId).map(({ type }) => type);
    for (const party of [payer, payee]) expect([[], HELD_THERE_AND_BACK]).toContainEqual(of(party));
    // The payee's half is given back before the payer's: its order in the log is that of the commits.
    const ends = events.filter(({ type }) => type === 'ledger.hold.voided').map(({ tenantId }) => tenantId);
    if (ends.length === 2) expect(ends).toEqual([payee.id, payer.id]);
  }

  it('is whole or undone, once, whatever happens at whichever of its transactions', async () => {
    const parties = new Map<string, readonly [Party, Party]>();
    const ends: Record<string, number> = {};
    const broken: Party[] = [];
    const arrange = async (): Promise<{ tenantId: string; input: PaymentInput }> => {
      const pair = [await stage.party(), await stage.party()] as const;
      parties.set(pair[0].id, pair);
      broken.push(...pair);
      return { tenantId: pair[0].id, input: stage.input(...pair) };
    };
    const check = async (ended: DrilledSaga): Promise<void> => {
      ends[ended.state] = (ends[ended.state] ?? 0) + 1;
      const [payer, payee] = parties.get(ended.tenantId) ?? [];
      if (payer && payee) await judge(ended, payer, payee);
    };
    const cases = await drillSaga({ database: stage.database, saga: payment, arrange, check });
    expect(ends['completed']).toBeGreaterThan(30);
    expect(ends['compensated']).toBeGreaterThan(30);
    expect(await stage.breaks(...broken)).toEqual([]);
    process.stdout.write(`${cases} cases: ${JSON.stringify(ends)}\n`);
  }, 270_000);
});
