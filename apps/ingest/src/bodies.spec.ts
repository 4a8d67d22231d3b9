import { PassThrough } from 'node:stream';
import type { IncomingMessage } from 'node:http';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Bodies } from './bodies';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

const BYTES = 100_000;
const BODIES = 8;

/** A request whose chunks are the test's. */
const requestOf = (): PassThrough & IncomingMessage =>
  Object.assign(new PassThrough(), { headers: {} }) as unknown as PassThrough & IncomingMessage;

function memory(): number {
  collect();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

describe('Bodies', () => {
  it('hold what they count, however small the chunks are that they come in', async () => {
    const bodies = new Bodies(BYTES * BODIES * 4);
    const before = memory();
    const read = Array.from({ length: BODIES }, () => {
      const request = requestOf();
      const body = new Promise<Buffer>((resolve, reject) =>
        bodies.read(request, (outcome) => (Buffer.isBuffer(outcome) ? resolve(outcome) : reject(outcome))),
      );
      for (let at = 0; at < BYTES; at += 1) request.emit('data', Buffer.of(97 + (at % 26)));
      return { request, body };
    });
    // Each chunk was a hundred times as large as what it brought.
    expect(memory() - before).toBeLessThan(BYTES * BODIES * 4);
    for (const { request } of read) request.emit('end');
    const expected = Buffer.from(Array.from({ length: BYTES }, (_, at) => 97 + (at % 26)));
    for (const { body } of read) expect((await body).equals(expected)).toBe(true);
  });

  it('give up the one that has been coming for longest when there is no room', async () => {
    const bodies = new Bodies(1_000);
    const outcomes = Array.from({ length: 3 }, () => {
      const request = requestOf();
      const outcome = new Promise<string>((resolve) =>
        bodies.read(request, (read) => resolve(Buffer.isBuffer(read) ? read.toString() : read.message)),
      );
      request.emit('data', Buffer.alloc(400, 'x'));
      return { request, outcome };
    });
    expect(await outcomes[0]?.outcome).toContain('Too much is under way');
    outcomes[2]?.request.emit('end');
    expect(await outcomes[2]?.outcome).toBe('x'.repeat(400));
  });
});
