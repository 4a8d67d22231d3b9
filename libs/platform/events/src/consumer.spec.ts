import { Consumer, declarationOf, type TenantConsumer, wants } from './consumer';

const DECLARED = {
  group: 'probe',
  kind: 'tenant',
  events: 'all',
  key: 'stream',
  from: 'beginning',
  replay: 'never',
} as const;

class Undeclared implements TenantConsumer {
  deliver(): Promise<void> {
    return Promise.resolve();
  }
}

describe('A consumer', () => {
  it('is what its class declares, with eight attempts where it says nothing', () => {
    @Consumer({ ...DECLARED, retry: { baseMs: 10 } })
    class Probe extends Undeclared {}
    expect(declarationOf(new Probe())).toEqual({
      ...DECLARED,
      retry: { attemptsMax: 8, baseMs: 10, capMs: 60_000 },
    });
    expect(() => declarationOf(new Undeclared())).toThrow('Undeclared is no @Consumer');
  });

  it.each([
    ['a name with a space', { group: 'a b' }],
    ['a name of 41 letters', { group: 'a'.repeat(41) }],
    ['no events', { events: [] }],
    ['a pattern within a type', { events: ['ledger.*.posted'] }],
    ['no attempt', { retry: { attemptsMax: 0 } }],
    ['a store that is reset', { kind: 'store', replay: 'reset' }],
  ] as const)('refuses %s', (_fault, declared) => {
    expect(() => Consumer({ ...DECLARED, ...declared })).toThrow(/group|store/);
  });

  it('refuses to be replayed after a reset that it lacks', () => {
    @Consumer({ ...DECLARED, replay: 'reset' })
    class Probe extends Undeclared {}
    expect(() => declarationOf(new Probe())).toThrow('is replayed after a reset, and has none');
  });

  it('wants types by name and by prefix, at the dots', () => {
    const declaration = { events: ['ledger.*', 'tenants.tenant.suspended'] };
    const types = [
      'ledger.transfer.posted',
      'ledger',
      'ledgers.made',
      'tenants.tenant.suspended',
      'tenants.tenant.x',
    ];
    expect(types.filter((type) => wants(declaration, type))).toEqual([
      'ledger.transfer.posted',
      'tenants.tenant.suspended',
    ]);
    expect(wants({ events: 'all' }, 'anything')).toBe(true);
  });
});
