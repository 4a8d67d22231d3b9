import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { metricsText } from '@holdfast/observability';
import { eventually } from '@holdfast/testing';
import { TestIngest } from './test-ingest';

const MB = 1024 * 1024;
const BODIES_MB = 4;
const CONNECTIONS_MAX = 60;
const SLOW = { connections: 40, bytes: 300_000, of: 400_000 } as const;
const event = { event: 'Clicked', userId: 'u1' };

/** A connection of a client, and what it was answered. */
interface Client {
  readonly socket: Socket;
  readonly answer: () => string;
  readonly closed: Promise<unknown>;
}

// Guards promise 7: whoever holds connections or sends slowly is bounded, and others do not notice.
describe('Ingest with many connections', () => {
  let ingest: TestIngest;
  const clients: Client[] = [];
  beforeAll(async () => {
    ingest = await TestIngest.start({
      environment: { INGEST_BODIES_MB: String(BODIES_MB), INGEST_CONNECTIONS_MAX: String(CONNECTIONS_MAX) },
    });
  });
  afterEach(async () => {
    for (const { socket } of clients) socket.destroy();
    await Promise.all(clients.splice(0).map(({ closed }) => closed));
  });
  afterAll(() => ingest.close());

  const opened = async (): Promise<Client> => {
    const socket = connect(Number(new URL(ingest.url).port), '127.0.0.1');
    let text = '';
    socket.on('data', (chunk) => (text += chunk.toString())).on('error', () => {}); // It is closed then.
    const client = { socket, answer: () => text, closed: once(socket, 'close') };
    clients.push(client);
    await once(socket, 'connect');
    return client;
  };

  test('refuses the bodies that have been coming for longest, to be sent again, and takes the others', async () => {
    for (let number = 0; number < SLOW.connections; number += 1) {
      const { socket } = await opened();
      socket.write(`POST /v1/track HTTP/1.1\r\nhost: a\r\ncontent-length: ${SLOW.of}\r\n\r\n`);
      socket.write('x'.repeat(SLOW.bytes));
    }
    const refused = (): Client[] => clients.filter(({ answer }) => answer() !== '');
    const fit = Math.floor((BODIES_MB * MB) / SLOW.bytes);
    await eventually(() => refused().length >= SLOW.connections - fit);
    // All of them together would be three times as much.
    expect(await metric('holdfast_ingest_body_bytes')).toBeLessThanOrEqual(BODIES_MB * MB);
    expect(refused().length).toBeLessThan(SLOW.connections);
    for (const { answer } of refused()) {
      expect(answer()).toMatch(/^HTTP\/1.1 429 /);
      expect(answer()).toMatch(/\r\nretry-after: 1\r\n/i);
      expect(answer()).toContain('"code":"ingest.busy"');
    }
    expect((await ingest.post('/v1/track', event)).status).toBe(200);
    const kept = clients.find(({ answer }) => answer() === '');
    kept?.socket.write('x'.repeat(SLOW.of - SLOW.bytes));
    // It is read to its end, and is no JSON.
    await eventually(() => /^HTTP\/1.1 400 /.test(kept?.answer() ?? ''));
  });

  test('lets go of what a body held whose sender has gone', async () => {
    await eventually(async () => (await metric('holdfast_ingest_body_bytes')) === 0);
    const { socket } = await opened();
    socket.write(`POST /v1/track HTTP/1.1\r\nhost: a\r\ncontent-length: ${SLOW.of}\r\n\r\n`);
    socket.write('x'.repeat(SLOW.bytes));
    await eventually(async () => (await metric('holdfast_ingest_body_bytes')) >= SLOW.bytes);
    socket.destroy();
    await eventually(async () => (await metric('holdfast_ingest_body_bytes')) === 0);
  });

  test('closes one more connection than may be open, and takes one where another has gone', async () => {
    const before = await metric('holdfast_ingest_connections_refused_total');
    while (clients.length < CONNECTIONS_MAX + 5) await opened();
    await eventually(async () => (await metric('holdfast_ingest_connections_refused_total')) - before >= 5);
    expect(await metric('holdfast_ingest_connections')).toBe(CONNECTIONS_MAX);
    for (const { socket } of clients.slice(0, 10)) socket.destroy();
    await eventually(async () => {
      const answer = await ingest.post('/v1/track', event).catch(() => undefined); // Closed at once.
      return answer?.status === 200;
    });
  });
});

async function metric(name: string): Promise<number> {
  return Number(new RegExp(`^${name} (\\S+)`, 'm').exec((await metricsText()).text)?.[1]);
}
