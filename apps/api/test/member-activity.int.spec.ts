import { randomUUID } from 'node:crypto';
import { type Caller, newId } from '@holdfast/kernel';
import { UserActivity, WriteKeySigner } from '@holdfast/ingest';
import { createLogger } from '@holdfast/observability';
import { wantsActivity } from '@holdfast/telemetry';
import { eventually, Receiver, TestIssuer } from '@holdfast/testing';
import { Injectable, Module } from '@nestjs/common';
import { TestApi, trusting, WRITE_KEY_PRIVATE } from './test-api';

interface Call {
  readonly event: string;
  readonly userId: string;
  readonly properties: { readonly status: number; readonly durationMs: number };
  readonly context: { readonly requestId: string };
}

interface Joined {
  readonly id: string;
  /** The member's; `key` is the tenant's. */
  readonly token: string;
  readonly key: string;
}

/** Part of a module that knows more than a route says. */
@Injectable()
class Printer {
  constructor(private readonly activity: UserActivity) {}

  print(caller: Parameters<UserActivity['record']>[0]): void {
    this.activity.record(caller, 'Statement Printed', { pages: 2 });
  }
}

@Module({ providers: [Printer] })
class PrintingModule {}

/** Promise 7: what members do is recorded off the path of their requests, whatever becomes of it. */
describe('The requests of members', () => {
  let issuer: TestIssuer;
  let ingest: Receiver;
  let activity: UserActivity;
  let api: TestApi;

  beforeAll(async () => {
    issuer = await TestIssuer.start();
    ingest = await Receiver.start();
    const signer = new WriteKeySigner(WRITE_KEY_PRIVATE);
    const logger = createLogger({ app: 'api', level: 'silent' });
    let read: ReturnType<typeof wantsActivity> | undefined;
    const isWanted = (caller: Caller): Promise<boolean> =>
      (read ??= wantsActivity(api.database.tenants()))(caller);
    activity = new UserActivity({
      url: ingest.url,
      signer,
      logger,
      isWanted,
      collectMs: 1,
      wantedFreshMs: 0,
    });
    api = await TestApi.start({}, [PrintingModule], [trusting(issuer.url)], { activity });
  });
  afterAll(async () => {
    await activity.drain(1_000);
    await api.close();
    await ingest.stop();
    await issuer.stop();
  });
  beforeEach(() => {
    ingest.received.splice(0);
    ingest.behave = (response) => response.writeHead(200).end('{}');
  });

  const join = async (role: string): Promise<Joined> => {
    const { key } = await api.tenant();
    const subject = randomUUID();
    const added = await api.ask('POST', '/v1/members', { key, body: { issuer: issuer.url, subject, role } });
    return { id: String(added.body['id']), token: await issuer.token({ sub: subject }), key };
  };
  const calls = (): Call[] =>
    ingest.received.flatMap(({ body }) => (JSON.parse(body) as { batch: Call[] }).batch);
  const named = async (count: number): Promise<string[]> => {
    await eventually(() => calls().length >= count);
    return calls().map(({ event }) => event);
  };

  it('are recorded by the pattern of their route, with what was answered and nothing that was sent', async () => {
    const { id, token } = await join('auditor');
    const headers = { 'x-request-id': 'request-of-the-test' };
    const account = randomUUID();
    await api.ask('GET', `/v1/ledger/accounts/${account}?at=2026-01-01T00:00:00Z`, { key: token, headers });
    await api.ask('POST', '/v1/ledger/accounts', { key: token, body: { code: 'cash of ada' } });
    expect(await named(2)).toEqual(['GET /v1/ledger/accounts/:id', 'POST /v1/ledger/accounts']);
    const [read, refused] = calls();
    expect(read).toMatchObject({
      userId: id,
      properties: { status: 404, durationMs: expect.any(Number) as number },
      context: { requestId: 'request-of-the-test' },
    });
    expect(refused?.properties.status).toBe(422);
    const sent = JSON.stringify(ingest.received.map(({ body }) => body));
    for (const value of [account, 'cash of ada', '2026-01-01T00:00:00Z', token])
      expect(sent).not.toContain(value);
  });

  it('are recorded by the fields of their document, each once', async () => {
    const { token } = await join('admin');
    await api.graphql(token, '{ a: tenant { id } b: tenant { name } quotas { used } }');
    // Refused before it is asked whose it is.
    await api.graphql(token, 'query ada { no_such_field }');
    await api.ask('GET', '/v1/me', { key: token });
    expect(await named(3)).toEqual(['Query.tenant', 'Query.quotas', 'GET /v1/me']);
  });

  it('stand beside what any module records with one call', async () => {
    const caller = { ...(await api.database.caller()), actor: `member:${newId()}`, requestId: 'printing' };
    api.app.get(Printer, { strict: false }).print(caller);
    expect(await named(1)).toEqual(['Statement Printed']);
    expect(calls()[0]).toMatchObject({ properties: { pages: 2 }, context: { requestId: 'printing' } });
  });

  it('are recorded for as long as their tenant wants it', async () => {
    const [off, on] = [await join('admin'), await join('admin')];
    const { headers } = await api.ask('GET', '/v1/tenant', { key: off.key });
    const changed = await api.ask('PATCH', '/v1/tenant', {
      key: off.key,
      body: { settings: { memberActivityRecorded: false } },
      headers: { 'if-match': String(headers['etag']) },
    });
    expect(changed.body['settings']).toMatchObject({ memberActivityRecorded: false });
    await api.ask('GET', '/v1/me', { key: off.token });
    await api.ask('GET', '/v1/tenant', { key: on.token });
    expect(await named(1)).toEqual(['GET /v1/tenant']);
    const again = await api.graphql(
      off.key,
      `mutation ($version: String!, $idempotencyKey: String!) {
        changeTenant(
          version: $version, idempotencyKey: $idempotencyKey, input: { settings: { memberActivityRecorded: true } }
        ) { settings { memberActivityRecorded } }
      }`,
      { version: changed.body['version'], idempotencyKey: randomUUID() },
    );
    expect(again.body).toEqual({ data: { changeTenant: { settings: { memberActivityRecorded: true } } } });
    await api.ask('GET', '/v1/me', { key: off.token });
    expect(await named(2)).toEqual(['GET /v1/tenant', 'GET /v1/me']);
  });

  it('of keys and of operators are not', async () => {
    const { id, key } = await api.tenant();
    await api.ask('GET', '/v1/tenant', { key });
    await api.operator('GET', `/v1/operator/tenants/${id}`);
    const { token } = await join('admin');
    await api.ask('GET', '/v1/me', { key: token });
    expect(await named(1)).toEqual(['GET /v1/me']);
  });

  it('are answered while ingest holds them back, and while it is away', async () => {
    const { token } = await join('admin');
    const held: (() => void)[] = [];
    ingest.behave = (response) => void held.push(() => response.destroy());
    expect((await api.ask('GET', '/v1/me', { key: token })).status).toBe(200);
    await eventually(() => held.length === 1);
    for (let n = 0; n < 20; n += 1) expect((await api.ask('GET', '/v1/me', { key: token })).status).toBe(200);
    expect(held).toHaveLength(1);
    held.forEach((cut) => cut());
    ingest.behave = (response) => response.destroy();
    await eventually(() =>
      activity.checkReachable().then(
        () => false,
        () => true,
      ),
    );
    expect((await api.ask('GET', '/v1/me', { key: token })).status).toBe(200);
    ingest.behave = (response) => response.writeHead(200).end('{}');
    // Nothing of it is lost, since ingest came back: the first batch was sent again, and its copy has the same id.
    await eventually(() => new Set(calls().map((call) => call.context.requestId)).size === 22);
  });
});
