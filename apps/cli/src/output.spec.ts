import { columns } from './output';

describe('Columns', () => {
  it('let nothing that a tenant has written steer the terminal, or begin a row', () => {
    const shown = columns(['name', 'state'], [['\u001B[2Jacme\u009B1m\nemca', 'active']]);
    expect(shown.split('\n')).toEqual([
      `name${' '.repeat(14)}state`,
      '\uFFFD[2Jacme\uFFFD1m\uFFFDemca  active',
    ]);
  });
});
