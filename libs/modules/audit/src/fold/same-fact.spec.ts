import { isSameFact } from './same-fact';

describe('A fact', () => {
  it.each([
    ['a', 'a'],
    [null, null],
    ['2026-11-26T12:00:00.000Z', new Date('2026-11-26T12:00:00.000Z')],
    ['2026-11-26T13:00:00+01:00', '2026-11-26T12:00:00.000000Z'],
    ['2026-11-26T12:00:00.123456Z', '2026-11-26T12:00:00.123456Z'],
    [{ timeZone: 'UTC' }, { timeZone: 'UTC', supportAccessAllowed: true }],
    [
      ['a', 'b'],
      ['a', 'b'],
    ],
  ])('%j is the same as %j', (folded, held) => expect(isSameFact(folded, held)).toBe(true));

  it.each([
    ['a', 'b'],
    [null, 'a'],
    ['1', 1],
    ['2026-11-26T12:00:00.001Z', new Date('2026-11-26T12:00:00.000Z')],
    ['2026-11-26T12:00:00.123456Z', '2026-11-26T12:00:00.123457Z'],
    [{ timeZone: 'UTC' }, { timeZone: 'Europe/Vienna' }],
    [{ timeZone: 'UTC' }, null],
    [['a', 'b'], ['a']],
    [null, new Date()],
  ])('%j is another than %j', (folded, held) => expect(isSameFact(folded, held)).toBe(false));
});
