import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { TestIssuer } from '@holdfast/testing';
import { DevProcess, freshCheckout, removeCheckout } from './dev-process';

interface Shown {
  readonly kind: string;
  readonly type: string;
  readonly requestId: string | null;
  readonly context: { readonly requestId?: string } | null;
}

/** As long as events take through the relay, and activities through ingest, on a machine that is busy. */
const SHOWN_WITHIN_MS = 30_000;

async function ask<Body>(url: string, key: string, body?: object): Promise<Body> {
  const response = await fetch(url, {
    method: body ? 'POST' : 'GET',
    headers: {
      authorization: `Bearer ${key}`,
      ...(body && { 'content-type': 'application/json', 'idempotency-key': randomUUID() }),
    },
    ...(body && { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${response.status} ${text}`);
  return JSON.parse(text) as Body;
}

/** Promise 7 joined with 4: what a member did and what it changed, by the member's id, through every process there is. */
test('holdfast dev shows what a member did beside what it changed', async () => {
  const checkout = freshCheckout();
  const issuer = await TestIssuer.start();
  try {
    const dev = new DevProcess(checkout, ['dev'], { OIDC_ISSUERS: issuer.url });
    const { api, tenants } = await dev.ready();
    const [acme, globex] = tenants;
    const member = { issuer: issuer.url, subject: 'ada', role: 'admin' };
    const { id } = await ask<{ id: string }>(`${api}/v1/members`, acme?.adminKey ?? '', member);
    const token = await issuer.token({ sub: 'ada' });
    const account = { code: 'till', asset: 'EUR/2', normalBalance: 'debit' };
    await ask(`${api}/v1/ledger/accounts`, token, account);
    const eventsOf = async (key = ''): Promise<readonly Shown[]> =>
      (await ask<{ data: Shown[] }>(`${api}/v1/telemetry/events?user=${id}`, key)).data;
    const opened = (events: readonly Shown[]): (Shown | undefined)[] => [
      events.find(({ type }) => type === 'ledger.account.opened'),
      events.find(({ type }) => type === 'POST /v1/ledger/accounts'),
    ];
    const until = Date.now() + SHOWN_WITHIN_MS;
    let [changed, did] = opened(await eventsOf(acme?.adminKey));
    while (!(changed && did) && Date.now() < until) {
      await sleep(200);
      [changed, did] = opened(await eventsOf(acme?.adminKey));
    }
    expect([changed?.kind, did?.kind]).toEqual(['domain', 'track']);
    expect(did?.context?.requestId).toEqual(expect.stringMatching(/./));
    expect(did?.context?.requestId).toBe(changed?.requestId);
    expect(await eventsOf(globex?.adminKey)).toEqual([]);
    const { checks } = await ask<{ checks: object[] }>(`${api}/readyz?verbose`, '');
    expect(checks).toContainEqual(expect.objectContaining({ name: 'activity', status: 'ok' }));
    expect((await dev.signal('SIGINT')).code).toBe(0);
  } finally {
    await issuer.stop();
    removeCheckout(checkout);
  }
});
