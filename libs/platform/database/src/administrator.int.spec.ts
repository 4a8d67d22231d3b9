import { readFileSync } from 'node:fs';
import { TcpProxy, TestDatabase } from '@holdfast/testing';
import { asAdministrator } from './administrator';

/** Of Linux: connections by their ports, and the timer that runs for each. 2 is that of keepalives. */
const KERNEL_SOCKETS = '/proc/net/tcp';
const KEEPALIVE_TIMER = '02';

const SETTINGS = `select current_setting('tcp_keepalives_idle') as idle, current_setting('tcp_keepalives_interval') as interval,
  current_setting('tcp_keepalives_count') as count, current_setting('tcp_user_timeout') as unanswered, inet_client_port() as port`;

// A black hole of the proxy does not show it: the kernel acknowledges keepalives there, whatever the proxy passes on.
describe('A session of the administrator', () => {
  let test: TestDatabase;
  beforeAll(async () => void (test = await TestDatabase.create()));
  afterAll(() => test.drop());

  it('is noticed to be cut off at both of its ends', async () => {
    const [session, timer] = await asAdministrator(test.adminUrl, async (client) => {
      const { rows } = await client.query<{ port: number }>(SETTINGS);
      return [rows[0], timerOf(rows[0]?.port ?? 0)] as const;
    });
    expect(session).toMatchObject({ idle: '10', interval: '5', count: '4', unanswered: '30000' });
    expect(timer).toBe(process.platform === 'linux' ? KEEPALIVE_TIMER : undefined);
  });

  it('is not waited for where nobody answers', async () => {
    const url = new URL(test.adminUrl);
    const wire = await TcpProxy.start(Number(url.port));
    await wire.set('blackhole');
    url.port = String(wire.port);
    await expect(asAdministrator(url.href, () => Promise.resolve(), 200)).rejects.toThrow('timeout');
    await wire.close();
  });
});

/** The timer that the kernel runs for the connection from a port of this machine. */
function timerOf(port: number): string | undefined {
  if (process.platform !== 'linux') return undefined;
  const local = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const sockets = readFileSync(KERNEL_SOCKETS, 'utf8').split('\n');
  const [, , , , , timer] =
    sockets.map((line) => line.trim().split(/\s+/)).find((fields) => fields[1]?.endsWith(local)) ?? [];
  return timer?.split(':')[0];
}
