import { seriesRange } from './telemetry-range';
import { telemetrySeriesInput } from './telemetry-series.query';

const NOW = Date.parse('2026-11-20T10:20:30.456Z');

describe('The range of a series', () => {
  it.each([
    ['minute', '2026-11-20T09:21:00.000Z', '2026-11-20T10:21:00.000Z'],
    ['hour', '2026-11-19T11:00:00.000Z', '2026-11-20T11:00:00.000Z'],
    ['day', '2026-10-22T00:00:00.000Z', '2026-11-21T00:00:00.000Z'],
  ] as const)('of %ss ends with the current one', (interval, from, to) => {
    expect(seriesRange({ interval }, NOW)).toEqual({ from, to });
  });

  it('keeps what is given as it is', () => {
    const bounds = { from: '2026-11-20T10:00:00.123456+01:00', to: '2026-11-20T09:30:00Z' };
    expect(seriesRange({ interval: 'minute', ...bounds }, NOW)).toEqual(bounds);
  });

  it('is bounded', () => {
    const bounds = { from: '2026-11-01T00:00:00Z', to: '2026-11-02T01:00:01Z' };
    expect(() => seriesRange({ interval: 'minute', ...bounds }, NOW)).toThrow(
      expect.objectContaining({ code: 'telemetry.range_too_long' }),
    );
    expect(seriesRange({ interval: 'hour', ...bounds }, NOW)).toEqual(bounds);
  });

  it('does not end before it begins', () => {
    const bounds = { from: '2026-11-02T00:00:00Z', to: '2026-11-01T00:00:00Z' };
    expect(() => seriesRange({ interval: 'day', ...bounds }, NOW)).toThrow(
      expect.objectContaining({ code: 'telemetry.range_inverted' }),
    );
  });

  it.each([
    {},
    { event: '' },
    { event: 'a\0' },
    { event: 'a', interval: 'week' },
    { event: 'a', from: 'yesterday' },
    { event: 'a', limit: 1 },
  ])('refuses %j', (input) => expect(telemetrySeriesInput.safeParse(input).success).toBe(false));
});
