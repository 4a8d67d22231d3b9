import { columns, showStep } from './output';

describe('Columns', () => {
  it('let nothing that a tenant has written steer the terminal, or begin a row', () => {
    const shown = columns(['name', 'state'], [['\u001B[2Jacme\u009B1m\nemca', 'active']]);
    expect(shown.split('\n')).toEqual([
      `name${' '.repeat(14)}state`,
      '\uFFFD[2Jacme\uFFFD1m\uFFFDemca  active',
    ]);
  });
});

describe('A step', () => {
  it('may be more than done: what is watched for a time takes a moment longer', async () => {
    const write = jest.spyOn(process.stderr, 'write').mockReturnValue(true);
    await showStep('watch', (step) => {
      step.progress(9, 8);
      return Promise.resolve('over');
    });
    expect(String(write.mock.lastCall)).toMatch(/watch: over/);
    write.mockRestore();
  });
});
