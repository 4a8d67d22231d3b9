import { type Caller, newId } from '@holdfast/kernel';
import type { PostingResult } from '../src/posting/post-batch.sql';
import type { TestLedger } from './test-ledger';

/** What a ledger with something of everything in it has, by what became of it. */
export interface FullLedger {
  readonly cash: string;
  readonly sales: string;
  readonly limited: string;
  readonly transfer: string;
  readonly reversed: string;
  readonly openHold: string;
  readonly timedHold: string;
  readonly postedHold: string;
  readonly refused: string;
}

const HOLD = { kind: 'hold' } as const;

/**
 * Gives a tenant every kind of thing that a ledger can hold: transfers of two assets, reversed ones, holds that are open,
 * posted in part, voided and expired, chains that took effect and that did not, refusals. Leaves the clock an hour ahead.
 */
export async function fillLedger(ledger: TestLedger, caller: Caller): Promise<FullLedger> {
  const [cash, sales] = [await ledger.open(caller), await ledger.open(caller)];
  const limited = await ledger.open(caller, { limit: 'debits_must_not_exceed_credits' });
  const dollars = [
    await ledger.open(caller, { asset: 'USD/2' }),
    await ledger.open(caller, { asset: 'USD/2' }),
  ] as const;
  const ids = (results: readonly PostingResult[]): string[] => results.map(({ id }) => id);
  const legs = [cash, sales] as const;
  const timed = { ...HOLD, terms: { timeout_seconds: 600 } };
  const late = { ...HOLD, terms: { timeout_seconds: 86_400 } };
  await ledger.post(caller, [cash, limited], { amount: 1_000n });
  await ledger.post(caller, dollars, {}, { amount: 7n });
  const [transfer = '', reversed = ''] = ids(await ledger.post(caller, legs, {}, {}, { amount: 3n }));
  await ledger.follow(caller, 'reversal', reversed);
  const [openHold = '', timedHold = '', postedHold = '', voided = '', expired = ''] = ids(
    await ledger.post(caller, legs, HOLD, late, { ...late, amount: 90n }, HOLD, timed),
  );
  await ledger.post(caller, [limited, sales], HOLD, HOLD);
  const [part] = await ledger.post(caller, [null, null], { kind: 'post', targetId: postedHold, amount: 40n });
  await ledger.follow(caller, 'reversal', part?.id ?? '');
  await ledger.follow(caller, 'void', voided);
  const linked = { terms: { linked: true } } as const;
  await ledger.post(caller, legs, linked, {});
  await ledger.post(caller, [limited, sales], linked, { amount: 5_000n });
  const [{ id: refused }] = (await ledger.post(caller, [limited, sales], { amount: 9_000n })) as [
    PostingResult,
  ];
  await ledger.post(caller, legs, { idempotencyKey: newId() });
  await ledger.moveClock(3_600);
  await ledger.follow(caller, 'expiry', expired);
  await ledger.post(caller, legs, {});
  return { cash, sales, limited, transfer, reversed, openHold, timedHold, postedHold, refused };
}
