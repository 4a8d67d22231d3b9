import { eventPattern, wants } from './event-pattern';

describe('An event pattern', () => {
  it.each(['*', 'ledger.*', 'ledger.transfer.*', 'ledger.transfer.posted', 'identity.api_key.created'])(
    'may be %s',
    (pattern) => expect(eventPattern.safeParse(pattern).success).toBe(true),
  );

  it.each(['', '**', '*.posted', 'ledger.', '.ledger', 'ledger*', 'Ledger.*', 'ledger.*.posted', 'a b'])(
    'is not "%s"',
    (pattern) => expect(eventPattern.safeParse(pattern).success).toBe(false),
  );

  it('takes in a type, the types below a prefix, or all', () => {
    const type = 'ledger.transfer.posted';
    for (const pattern of ['*', 'ledger.*', 'ledger.transfer.*', type])
      expect(wants([pattern], type)).toBe(true);
    for (const pattern of ['ledge.*', 'ledger.transfer', 'ledger.transfer.posted.*', 'audit.*'])
      expect(wants([pattern], type)).toBe(false);
    expect(wants(['audit.*', 'ledger.*'], type)).toBe(true);
    expect(wants([], type)).toBe(false);
  });
});
