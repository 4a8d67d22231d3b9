import { inSpan, inStepSpan, openServerSpan, recordSpan } from './span';
import { readTraceparent } from './traceparent';

const TRACEPARENT = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';

describe('spans without an SDK in the process', () => {
  it('are transparent to what the work answers and throws', async () => {
    const place = { traceparent: TRACEPARENT, linked: [TRACEPARENT, 'not one'] };
    await expect(inSpan('a', {}, async () => 1, place)).resolves.toBe(1);
    await expect(inStepSpan('a', {}, async () => 2)).resolves.toBe(2);
    const failure = new Error('as it is');
    await expect(inSpan('a', {}, () => Promise.reject(failure))).rejects.toBe(failure);
    expect(() => recordSpan('a', {}, 5)).not.toThrow();
  });

  it('begin their work at once: statements go out in the order of their issue', () => {
    const begun: string[] = [];
    void inSpan('a', {}, async () => begun.push('a'));
    void inStepSpan('b', {}, async () => begun.push('b'));
    expect(begun).toEqual(['a', 'b']);
  });

  it('continue the trace of a request all the same', () => {
    const span = openServerSpan('GET /', {}, TRACEPARENT);
    span.end({});
    const place = readTraceparent(span.traceparent);
    expect(place?.traceId).toBe('0af7651916cd43dd8448eb211c80319c');
    expect(place?.sampled).toBe(true);
    expect(place?.spanId).not.toBe('b7ad6b7169203331');
    expect(readTraceparent(openServerSpan('GET /', {}, undefined).traceparent)).toBeDefined();
  });
});
