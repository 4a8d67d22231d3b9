import { continueTrace, readTraceparent, writeTraceparent } from './traceparent';

const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
const spanId = '00f067aa0ba902b7';

describe('A traceparent', () => {
  test('is read and written as the specification spells it', () => {
    const header = `00-${traceId}-${spanId}-01`;
    expect(readTraceparent(header)).toEqual({ traceId, spanId, sampled: true });
    expect(writeTraceparent(readTraceparent(header)!)).toBe(header);
    expect(readTraceparent(`00-${traceId}-${spanId}-00`)?.sampled).toBe(false);
  });

  test.each([
    ['', 'nothing'],
    [`00-${'0'.repeat(32)}-${spanId}-01`, 'a trace id of zeros'],
    [`00-${traceId}-${'0'.repeat(16)}-01`, 'a span id of zeros'],
    [`ff-${traceId}-${spanId}-01`, 'the forbidden version'],
    [`00-${traceId.toUpperCase()}-${spanId}-01`, 'capital letters'],
    [`00-${traceId}-${spanId}-01-more`, 'more fields than version 00 has'],
    [`00-${traceId}-${spanId}`, 'too few fields'],
  ])('%s is none: it has %s', (header) => {
    expect(readTraceparent(header)).toBeUndefined();
  });

  test('of a later version is read by its first four fields', () => {
    expect(readTraceparent(`01-${traceId}-${spanId}-01-more`)).toMatchObject({ traceId });
  });

  test('goes on with the same trace and a span of our own, or begins anew', () => {
    const next = readTraceparent(continueTrace(`00-${traceId}-${spanId}-01`));
    expect(next).toMatchObject({ traceId, sampled: true });
    expect(next?.spanId).not.toBe(spanId);
    expect(readTraceparent(continueTrace('rubbish'))?.traceId).toMatch(/^[0-9a-f]{32}$/);
    expect(continueTrace(undefined)).not.toBe(continueTrace(undefined));
  });
});
