import { once } from 'node:events';
import { statSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Server } from 'node:net';
import { availableParallelism, loadavg } from 'node:os';
import { join } from 'node:path';
import type { DevFile } from '../src/dev/dev-file';
import { DevProcess, ends, freshCheckout, holdfast, lives, postgresPid, removeCheckout } from './dev-process';

// Several starts of a whole system, each a few seconds, on a machine that runs other tests beside.
jest.setTimeout(180_000);

interface Listed {
  readonly data: readonly { readonly id: string }[];
}

async function get(url: string, key = ''): Promise<{ status: number; body: Listed }> {
  const response = await fetch(url, { headers: key === '' ? {} : { authorization: `Bearer ${key}` } });
  return { status: response.status, body: (await response.json()) as Listed };
}

/** Every transfer of a tenant, over all pages. */
async function transferIds({ api }: DevFile, key: string): Promise<string[]> {
  const ids: string[] = [];
  for (let after = ''; ;) {
    const response = await fetch(`${api}/v1/ledger/transfers?limit=200${after}`, {
      headers: { authorization: `Bearer ${key}` },
    });
    const { data, nextCursor } = (await response.json()) as Listed & { nextCursor: string | null };
    ids.push(...data.map(({ id }) => id));
    if (nextCursor === null) return ids;
    after = `&after=${encodeURIComponent(nextCursor)}`;
  }
}

/** Whether events reach the telemetry store within ten seconds. */
async function delivered({ api }: DevFile, key: string): Promise<boolean> {
  for (let waitedMs = 0; waitedMs < 10_000; waitedMs += 200) {
    const { status, body } = await get(`${api}/v1/telemetry/events?limit=1`, key);
    if (status === 200 && body.data.length > 0) return true;
    await new Promise((wait) => setTimeout(wait, 200));
  }
  return false;
}

describe('holdfast dev', () => {
  let checkout = '';
  beforeEach(() => (checkout = freshCheckout()));
  afterEach(() => removeCheckout(checkout));

  test('brings everything up within 20 s, says where, and leaves nothing behind when it is stopped', async () => {
    const startedAt = Date.now();
    const dev = new DevProcess(checkout);
    const running = await dev.ready();
    // Twenty seconds are promised on a machine that does nothing else; tests run beside others.
    const busyness = Math.max(1, loadavg()[0]! / availableParallelism());
    expect(Date.now() - startedAt).toBeLessThan(20_000 * busyness);
    expect(Object.keys(running)).toEqual([
      'api',
      'ingest',
      'metrics',
      'docs',
      'graphql',
      'database',
      'tenants',
    ]);
    expect(running.tenants.map(({ slug }) => slug)).toEqual(['acme', 'globex']);
    for (const name of ['dev.json', 'secrets.json']) {
      expect(statSync(join(checkout, '.holdfast', name)).mode & 0o777).toBe(0o600);
    }
    expect((await fetch(`${running.api}/readyz`)).status).toBe(200);
    expect((await fetch(`${running.ingest}/readyz`)).status).toBe(200);
    expect((await fetch(running.docs)).status).toBe(200);
    expect(await (await fetch(running.metrics)).text()).toContain('holdfast_http_request_duration_seconds');
    const [acme, globex] = running.tenants;
    const accounts = await get(`${running.api}/v1/ledger/accounts`, acme!.adminKey);
    expect(accounts.body.data).toHaveLength(4);
    // With a hold and what became of it, one that is open, a linked pair and a reversal.
    expect(await transferIds(running, globex!.adminKey)).toHaveLength(156);
    expect(
      (await get(`${running.api}/v1/ledger/accounts/${accounts.body.data[0]!.id}`, globex!.adminKey)).status,
    ).toBe(404);

    await expect(delivered(running, acme!.adminKey)).resolves.toBe(true);

    const server = postgresPid(checkout)!;
    const { code, stdout } = await dev.signal('SIGINT');
    expect(code).toBe(0);
    for (const { adminKey, writeKey } of running.tenants) {
      expect(writeKey).toMatch(/^hfw_/);
      for (const key of [adminKey, writeKey]) expect(stdout).toContain(key);
    }
    expect(lives(server)).toBe(false);
    expect(postgresPid(checkout)).toBeUndefined();
  });

  test('finds its data again, after a stop and after kill -9', async () => {
    const first = new DevProcess(checkout);
    const before = await first.ready();
    const [tenant] = before.tenants;
    const ids = await transferIds(before, tenant!.adminKey);
    await first.signal('SIGTERM');

    const second = new DevProcess(checkout);
    const again = await second.ready();
    expect(again.tenants).toEqual(before.tenants);
    expect(await transferIds(again, tenant!.adminKey)).toEqual(ids);
    await second.signal('SIGKILL');
    expect(lives(postgresPid(checkout)!)).toBe(true);

    const third = new DevProcess(checkout);
    const recovered = await third.ready();
    expect(await transferIds(recovered, tenant!.adminKey)).toEqual(ids);
    expect((await third.signal('SIGINT')).code).toBe(0);
  });

  test('stops in order when it is asked to while it starts, and is forced by asking twice', async () => {
    const early = new DevProcess(checkout, ['dev', '--no-demo']);
    await early.until('PostgreSQL:');
    expect((await early.signal('SIGINT')).code).toBe(0);
    expect(postgresPid(checkout)).toBeUndefined();

    const forced = new DevProcess(checkout, ['dev', '--no-demo']);
    const { api } = await forced.ready();
    const server = postgresPid(checkout)!;
    // A request that never ends keeps the orderly stop waiting; `100 Continue` says that the server has it.
    const hanging = connect(Number(new URL(api).port), '127.0.0.1').on('error', () => {});
    hanging.write(
      'POST /v1/ledger/accounts HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\nexpect: 100-continue\r\ncontent-length: 9\r\n\r\n{',
    );
    expect(String((await once(hanging, 'data'))[0])).toContain('100 Continue');
    const ended = forced.signal('SIGINT');
    await forced.until('Stopping');
    await new Promise((wait) => setTimeout(wait, 600));
    void forced.signal('SIGINT');
    expect((await ended).code).toBe(130);
    hanging.destroy();
    expect(await ends(server)).toBe(true);
  });

  test('runs once in a checkout, and in two checkouts at once', async () => {
    const other = freshCheckout();
    const [here, there] = [
      new DevProcess(checkout, ['dev', '--no-demo']),
      new DevProcess(other, ['dev', '--no-demo']),
    ];
    const [one, two] = await Promise.all([here.ready(), there.ready()]);
    expect(one.api).not.toBe(two.api);
    expect(one.tenants).toEqual([]);
    const refused = await holdfast(checkout, ['dev']);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toMatch(/already runs .* \(process \d+\)/);
    expect((await get(`${one.api}/readyz`)).status).toBe(200);
    await Promise.all([here.signal('SIGINT'), there.signal('SIGINT')]);
    removeCheckout(other);
  });

  test('refuses a port that is taken and says what to do', async () => {
    const taken = await new Promise<Server>((resolve) => {
      const server = createServer().listen(0, '127.0.0.1', () => resolve(server));
    });
    const { port } = taken.address() as AddressInfo;
    const refused = await holdfast(checkout, ['dev', '--port', String(port)]);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain(`Port ${port} is taken`);
    expect(refused.stderr).toContain('--port');
    expect(postgresPid(checkout)).toBeUndefined();
    taken.close();
  });

  test('begins anew with --reset', async () => {
    const first = new DevProcess(checkout, ['dev']);
    const before = await first.ready();
    await first.signal('SIGINT');
    const second = new DevProcess(checkout, ['dev', '--reset', '--no-demo']);
    const fresh = await second.ready();
    expect(fresh.tenants).toEqual([]);
    expect((await get(`${fresh.api}/v1/ledger/accounts`, before.tenants[0]!.adminKey)).status).toBe(401);
    // At once after the start, while the queues are still being opened.
    expect((await second.signal('SIGINT')).code).toBe(0);
  });
});
