import { newId } from '@holdfast/kernel';
import { postTransferInput, postTransfersInput } from './transfer-input';
import { wantedOf, wantedOfItem } from './transfer-posting';

const transfer = { debitAccountId: newId(), creditAccountId: newId(), amount: '10' };
const termsOf = (fields: object): unknown =>
  wantedOf(postTransferInput.parse({ ...transfer, ...fields })).terms;

/** JSON Pointers of what is wrong with a batch of these items. */
function faultsOf(items: readonly object[]): string[] {
  const parsed = postTransfersInput.safeParse({ items });
  return (parsed.error?.issues ?? []).map(({ path }) => `/${path.join('/')}`);
}

describe('What a transfer asks for', () => {
  it.each([
    {},
    { minBalanceAfter: {} },
    { minBalanceAfter: { debit: null } },
    { minBalanceAfter: null, effectiveDate: null, balancing: null },
    { balancing: 'none', timeoutSeconds: null },
    { pending: true },
  ])('is nothing besides for %j', (fields) => expect(termsOf(fields)).toBeNull());

  it('is written as the database knows it', () => {
    const fields = {
      ...{ pending: true, timeoutSeconds: 60, balancing: 'both', effectiveDate: '2026-02-28' },
      minBalanceAfter: { debit: '-5', credit: '0' },
    };
    expect(termsOf(fields)).toEqual({
      ...{ balancing: 'both', amount: '10', timeout_seconds: 60, effective_date: '2026-02-28' },
      min_balance_after: { debit: '-5', credit: '0' },
    });
  });

  it('has an amount in the terms of a post alone that gives one', () => {
    const post = { id: newId(), kind: 'post', targetId: newId() };
    const termsOfItem = (item: object): unknown =>
      wantedOfItem(postTransfersInput.parse({ items: [item] }).items[0]!).terms;
    expect(termsOfItem(post)).toBeNull();
    expect(termsOfItem({ ...post, amount: '7' })).toEqual({ amount: '7' });
  });
});

describe('A batch of items', () => {
  const item = (fields: object = {}): object => ({ id: newId(), ...transfer, ...fields });
  const linked = (length: number): object[] => Array.from({ length }, () => item({ linked: true }));

  it('takes every kind, and chains that end', () => {
    const targetId = newId();
    const followers = ['post', 'void', 'reversal'].map((kind) => ({
      id: newId(),
      kind,
      targetId,
      linked: true,
    }));
    expect(faultsOf([item(), ...followers, item({ kind: 'transfer' })])).toEqual([]);
    expect(faultsOf([...linked(1_999), item(), ...linked(1_999), item()])).toEqual([]);
  });

  it('refuses a chain that is open at the end, or longer than a batch', () => {
    expect(faultsOf([item(), ...linked(1)])).toEqual(['/items/1/linked']);
    expect(faultsOf([...linked(2_000), item()])).toEqual(['/items/2000/linked']);
  });

  it.each([
    [{ id: undefined }, '/items/0/id'],
    [{ kind: 'expiry' }, '/items/0/kind'],
    [{ kind: 'void', targetId: 'x' }, '/items/0/targetId'],
    [{ targetId: newId() }, '/items/0'],
    [{ timeoutSeconds: 5 }, '/items/0/timeoutSeconds'],
  ])('names the fault of %j', (fields, pointer) => {
    expect(faultsOf([item(fields)])).toContain(pointer);
  });
});
