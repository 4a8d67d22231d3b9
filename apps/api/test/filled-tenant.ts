import { randomUUID } from 'node:crypto';
import type { Answer, TestApi } from './test-api';

type Method = 'POST' | 'PATCH' | 'DELETE';

/** A tenant in which everything that has a state was made, changed and ended, by the commands that do it. */
export interface FilledTenant {
  readonly id: string;
  readonly key: string;
  readonly cash: string;
  readonly sales: string;
}

/** Does something of everything in a tenant of its own; what is refused fails the test. */
export async function fillTenant(api: TestApi): Promise<FilledTenant> {
  const { id, key } = await api.largeTenant();
  const run = async (method: Method, url: string, body?: object, etag?: string): Promise<Answer> => {
    const headers = etag === undefined ? {} : { 'if-match': etag };
    const answer = await api.ask(method, url, { key, headers, ...(body && { body }) });
    if (answer.status >= 300) throw new Error(`${method} ${url} answers ${answer.text}`);
    return answer;
  };
  const idOf = ({ body }: Answer): string => String(body['id']);
  const operate = async (url: string, body: object): Promise<void> => {
    const answer = await api.operator('POST', `/v1/operator/tenants/${id}/${url}`, { body });
    if (answer.status >= 300) throw new Error(`${url} answers ${answer.text}`);
  };
  await fillIdentity(run, idOf);
  const accounts = await fillLedger(api, key, run, idOf);
  const webhook = await run('POST', '/v1/webhooks', { url: 'https://example.com/hook' });
  await run('PATCH', `/v1/webhooks/${idOf(webhook)}`, { enabled: false }, etagOf(webhook));
  await run('POST', `/v1/webhooks/${idOf(webhook)}/secrets`, {});
  await run('POST', '/v1/tenant/exports', {});
  await run('POST', '/v1/telemetry/write-keys', { name: 'shop' });
  const revoked = await run('POST', '/v1/telemetry/write-keys', { name: 'old shop' });
  await run('DELETE', `/v1/telemetry/write-keys/${idOf(revoked)}`);
  const tenant = await api.ask('GET', '/v1/tenant', { key });
  await run('PATCH', '/v1/tenant', { settings: { timeZone: 'Europe/Vienna' } }, etagOf(tenant));
  await operate('suspend', { reason: 'to see what becomes of it' });
  await operate('resume', {});
  await operate('support-access', { reason: 'to see what becomes of it' });
  return { id, key, ...accounts };
}

type Run = (method: Method, url: string, body?: object, etag?: string) => Promise<Answer>;

const etagOf = ({ headers }: Answer): string => String(headers['etag']);

async function fillIdentity(run: Run, idOf: (answer: Answer) => string): Promise<void> {
  const role = await run('POST', '/v1/roles', { name: 'reader', permissions: ['audit:read'] });
  await run('PATCH', `/v1/roles/${idOf(role)}`, { permissions: ['audit:read', 'ledger:read'] }, etagOf(role));
  const gone = await run('POST', '/v1/roles', { name: 'gone', permissions: ['audit:read'] });
  await run('DELETE', `/v1/roles/${idOf(gone)}`, undefined, etagOf(gone));
  const person = { issuer: 'https://id.example.com', role: idOf(role) };
  const member = await run('POST', '/v1/members', { ...person, subject: randomUUID() });
  await run('PATCH', `/v1/members/${idOf(member)}`, { role: 'auditor' }, etagOf(member));
  const left = await run('POST', '/v1/members', { ...person, subject: randomUUID() });
  await run('DELETE', `/v1/members/${idOf(left)}`, undefined, etagOf(left));
  await run('POST', '/v1/invitations', { role: 'member' });
  const invitation = await run('POST', '/v1/invitations', { role: 'member' });
  await run('DELETE', `/v1/invitations/${idOf(invitation)}`);
  const issuer = {
    issuer: 'https://id.example.com',
    claim: 'team',
    claimValue: 'one',
    defaultRole: 'member',
  };
  await run('POST', '/v1/issuers', issuer);
  const key = { name: 'key', scopes: ['audit:read'], expiresAt: '2030-01-01T00:00:00+01:00' };
  const rotated = await run('POST', '/v1/api-keys', key);
  await run('POST', `/v1/api-keys/${idOf(rotated)}/rotate`, {});
  const revoked = await run('POST', '/v1/api-keys', key);
  await run('DELETE', `/v1/api-keys/${idOf(revoked)}`);
}

async function fillLedger(
  api: TestApi,
  key: string,
  run: Run,
  idOf: (answer: Answer) => string,
): Promise<{ readonly cash: string; readonly sales: string }> {
  const [cash, sales] = [
    await api.account(key, 'cash', { normalBalance: 'debit' }),
    await api.account(key, 'sales'),
  ];
  const body = { debitAccountId: cash, creditAccountId: sales, amount: '100' };
  const transfer = async (more: object = {}): Promise<string> =>
    idOf(await run('POST', '/v1/ledger/transfers', { ...body, ...more }));
  await transfer();
  await transfer({ effectiveDate: '2026-10-01' });
  await run('POST', `/v1/ledger/transfers/${await transfer()}/reverse`, {});
  const hold = { pending: true, timeoutSeconds: 3_600 };
  await transfer(hold);
  await run('POST', `/v1/ledger/transfers/${await transfer(hold)}/void`);
  const posted = await run('POST', `/v1/ledger/transfers/${await transfer(hold)}/post`, { amount: '40' });
  await run('POST', `/v1/ledger/transfers/${idOf(posted)}/reverse`, {});
  await run('POST', '/v1/ledger/transfers:batch', {
    items: [
      { ...body, id: randomUUID(), amount: '7' },
      { ...body, id: randomUUID(), creditAccountId: randomUUID() },
    ],
  });
  const closing = await run('POST', '/v1/ledger/accounts', {
    ...{ code: 'old', asset: 'EUR/2', normalBalance: 'debit' },
  });
  await run('POST', `/v1/ledger/accounts/${idOf(closing)}/close`, {});
  await run('POST', '/v1/ledger/period/close', { through: '2026-09-30' });
  await run('POST', '/v1/ledger/period/reopen', { through: '2026-08-31' });
  return { cash, sales };
}
