import { DomainError } from '@holdfast/kernel';
import Fastify from 'fastify';
import { sendProblem } from './problem.filter';

class Full extends DomainError {
  readonly code = 'test.full';
  readonly kind = 'unavailable';
}

describe('An error', () => {
  const lines: Record<string, unknown>[] = [];
  const write = (line: string): void => void lines.push(JSON.parse(line) as Record<string, unknown>);
  const fastify = Fastify({ logger: { level: 'warn', stream: { write } } });
  fastify.setErrorHandler((error, request, reply) => sendProblem(error, request, reply));
  fastify.get('/full', () => {
    const cause = new Error('no place is free', { cause: new RangeError('16 are taken') });
    throw Object.assign(new Full('Try again.'), { cause });
  });
  fastify.get('/broken', () => {
    throw new TypeError('nobody foresaw it');
  });
  afterAll(() => fastify.close());

  it('that was foreseen is logged in a line, with what stands behind it', async () => {
    expect((await fastify.inject('/full')).statusCode).toBe(503);
    const reason = 'Error: no place is free <- RangeError: 16 are taken';
    expect(lines.at(-1)).toMatchObject({ level: 40, msg: 'request refused', code: 'test.full', reason });
    expect(JSON.stringify(lines.at(-1))).not.toContain(__filename);
  });

  it('that was not is logged with its stack, and tells nothing', async () => {
    const answer = await fastify.inject('/broken');
    expect([answer.statusCode, answer.body]).toEqual([500, expect.not.stringContaining('foresaw')]);
    const err = { message: 'nobody foresaw it', stack: expect.stringContaining('TypeError') as unknown };
    expect(lines.at(-1)).toMatchObject({ level: 50, msg: 'request failed', err });
  });
});
