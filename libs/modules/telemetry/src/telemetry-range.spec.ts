import { hoursWithin, rowsRange } from './telemetry-range';

const NOW = Date.parse('2026-11-20T10:20:30.456Z');

describe('The range of rows', () => {
  it('is the last seven days, and 32 at most', () => {
    expect(rowsRange({}, NOW)).toEqual({ from: '2026-11-13T10:20:30.456Z', to: '2026-11-20T10:20:30.456Z' });
    const month = { from: '2026-10-01T00:00:00Z', to: '2026-11-02T00:00:00Z' };
    expect(rowsRange(month, NOW)).toEqual(month);
    expect(() => rowsRange({ ...month, from: '2026-09-30T23:59:59Z' }, NOW)).toThrow(
      expect.objectContaining({ code: 'telemetry.range_too_long' }),
    );
    expect(() => rowsRange({ from: month.to, to: month.from }, NOW)).toThrow(
      expect.objectContaining({ code: 'telemetry.range_inverted' }),
    );
  });
});

describe('The rolled-up hours of a range', () => {
  const within = (from: string, to: string, until: string) => {
    const found = hoursWithin(`2026-11-20T${from}`, `2026-11-20T${to}`, Date.parse(`2026-11-20T${until}`));
    return [found.rolled_from, found.rolled_to].map((at) => at.slice(11, 16));
  };

  it.each([
    ['10:00:00Z', '12:00:00Z', '13:00:00Z', ['10:00', '12:00']],
    ['10:00:00.000001Z', '12:59:59Z', '13:00:00Z', ['11:00', '12:00']],
    ['10:00:00.000000Z', '12:00:00Z', '11:00:00Z', ['10:00', '11:00']],
    ['10:15:00Z', '10:45:00Z', '13:00:00Z', ['11:00', '11:00']],
    ['10:00:00Z', '12:00:00Z', '09:00:00Z', ['10:00', '10:00']],
    ['11:00:00+01:00', '12:00:00Z', '13:00:00Z', ['10:00', '12:00']],
  ])('from %s to %s, rolled up until %s', (from, to, until, expected) => {
    expect(within(from, to, until)).toEqual(expected);
  });
});
