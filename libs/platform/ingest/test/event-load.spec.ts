import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { sendEvents } from './event-load';

interface Sent {
  readonly messageId: string;
  readonly timestamp: string;
}

describe('A load', () => {
  it('sends whole requests, keeps what was acknowledged, and each copy to the byte', async () => {
    const received: Sent[] = [];
    let refusing = false;
    const server = createServer((request, response) => {
      void json(request).then((body) => {
        received.push(...(body as { batch: Sent[] }).batch);
        refusing = !refusing;
        if (refusing) response.writeHead(503).end();
        else response.end('{}');
      });
    });
    await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const outcome = await sendEvents({
      port,
      writeKeys: ['one', 'other'],
      connections: 2,
      seconds: 0.3,
      warmUpSeconds: 0,
      events: 3,
      run: 'tried',
      copies: 2,
      journal: true,
    });
    server.close();
    const requests = Object.values(outcome.statuses).reduce((sum, count) => sum + count, 0);
    expect(Object.keys(outcome.statuses)).toEqual(['200', '503']);
    expect(received).toHaveLength(requests * 3);
    expect(outcome.acknowledged).toHaveLength((outcome.statuses[200] ?? 0) * 3);
    const byId = Map.groupBy(received, ({ messageId }) => messageId);
    expect(outcome.acknowledged.every((id) => byId.has(id))).toBe(true);
    const instants = [...byId.values()].map(
      (copies) => new Set(copies.map(({ timestamp }) => timestamp)).size,
    );
    expect(new Set(instants)).toEqual(new Set([1]));
    // The end of the time may cut off the second copy of the last request of each connection.
    expect([...byId.values()].filter((copies) => copies.length !== 2).length).toBeLessThanOrEqual(6);
  });

  it('tells what was not answered', async () => {
    const server = createServer((request) => request.socket.destroy());
    await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const load = { port, writeKeys: ['one'], connections: 1, warmUpSeconds: 0, events: 1, run: 'lost' };
    const outcome = await sendEvents({ ...load, seconds: 0.1, journal: true });
    server.close();
    expect(Object.keys(outcome.statuses)).toEqual(['0']);
    expect(outcome.unknown.length).toBe(outcome.statuses[0]);
    expect(outcome.acknowledged).toEqual([]);
  });
});
