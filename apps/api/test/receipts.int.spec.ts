import { randomUUID } from 'node:crypto';
import { CommittedEvents } from '@holdfast/kernel';
import { AuditExportTask, Receipts } from '@holdfast/audit';
import { TaskRunner } from '@holdfast/tasks';
import { ExportTask } from '@holdfast/tenants';
import { Grants } from '@holdfast/tenancy';
import { TestIssuer } from '@holdfast/testing';
import { readCatalogue } from './tenancy/catalogue';
import { Owner } from './tenancy/owner';
import { Client, type Reply } from './tenancy/route';
import { type Answer, LOG_NAME, TestApi, trusting } from './test-api';
import { TestSagas, waitingSaga } from './test-sagas';

interface NamedEvent {
  readonly id?: string;
  readonly type: string;
  readonly stream: { readonly type: string; readonly id: string; readonly version?: string };
  readonly dataSha256?: string;
}

interface Claims {
  readonly tenantId: string;
  readonly requestId: string;
  readonly keyId: string;
  readonly events?: readonly NamedEvent[];
  readonly count?: number;
}

/** What the receipts of an answer say: the extra data of each proof file. */
function claimsIn({ headers }: Pick<Answer, 'headers'>): Claims[] {
  const { 'holdfast-receipt': header } = headers;
  if (typeof header !== 'string') return [];
  return header.split(',').map((value) => {
    const file = Buffer.from(value, 'base64').toString();
    const [, extra = ''] = /^extra (.*)$/m.exec(file) ?? [];
    return JSON.parse(Buffer.from(extra, 'base64').toString()) as Claims;
  });
}

const idsIn = (answer: Pick<Answer, 'headers'>): (string | undefined)[] =>
  claimsIn(answer).flatMap(({ events = [] }) => events.map(({ id }) => id));

/** States that routes are about, as in the route matrix. */
const HOLD = { pending: true };
const STATES = {
  'POST /v1/ledger/transfers/{id}/post': HOLD,
  'POST /v1/ledger/transfers/{id}/void': HOLD,
  'mutation postHold': HOLD,
  'mutation voidHold': HOLD,
};

/**
 * What changes nothing that is recorded, in the state that the generator leaves: deliveries are no state, and what is open, or as it
 * was asked for, stays as it is: a saga that is to be given up, too.
 */
const WITHOUT_EVENT = [
  'POST /v1/audit/subjects/{id}/erase',
  'POST /v1/ledger/accounts/{id}/reopen',
  'POST /v1/ledger/period/reopen',
  'POST /v1/sagas/{id}/cancel',
  'POST /v1/sagas/{id}/retry',
  'POST /v1/webhooks/{id}/deliveries/{deliveryId}/retry',
  'POST /v1/webhooks/{id}/deliveries:retry',
  'POST /v1/webhooks/{id}/test',
  'mutation changeAuditRetention',
  'mutation changeWebhook',
  'mutation closePeriod',
  'mutation compensateSaga',
  'mutation endSupportAccess',
  'mutation eraseAuditSubject',
  'mutation reopenAccount',
  'mutation reopenPeriod',
  'mutation retryDeliveries',
  'mutation retryDelivery',
  'mutation retrySaga',
  'mutation testWebhook',
];

/** Promise 5, before there is a seal: whoever was answered holds a signed word for what was recorded. */
describe('The answer to a change', () => {
  let api: TestApi;
  let issuer: TestIssuer;
  let tenant: { readonly id: string; readonly key: string };
  let cash: string;
  let equity: string;

  beforeAll(async () => {
    issuer = await TestIssuer.start();
    api = await TestApi.start({}, [], [trusting('https://id.example.com'), trusting(issuer.url)]);
    tenant = await api.largeTenant();
    cash = await api.account(tenant.key, 'cash', { normalBalance: 'debit' });
    equity = await api.account(tenant.key, 'equity');
  }, 60_000);
  afterAll(async () => {
    await api.close();
    await issuer.stop();
  });

  const post = (body: object, idempotencyKey: string = randomUUID()): Promise<Answer> =>
    api.ask('POST', '/v1/ledger/transfers', { key: tenant.key, body: transfer(body), idempotencyKey });
  const transfer = (more: object = {}): object => ({
    ...{ debitAccountId: cash, creditAccountId: equity, amount: '100' },
    ...more,
  });
  const batch = (items: readonly object[]): Promise<Answer> =>
    api.ask('POST', '/v1/ledger/transfers:batch', { key: tenant.key, body: { items } });

  /** What the log has of a request, but for a refusal that was told of behind its answer: within a second, or at once. */
  async function recorded(answer: Pick<Answer, 'headers'>): Promise<string[]> {
    const rows = await api.database.admin<{ id: string }>(
      `select id from events.log
       where correlation_id = $1 and type <> 'identity.member.signed_in'
         and (type <> 'audit.request.refused' or id::text = any ($2))
       order by seq`,
      [answer.headers['x-request-id'], idsIn(answer)],
    );
    return rows.map(({ id }) => id);
  }

  /** Whether the log has more of a request than that it was refused: one of a kind is told of, and again half a minute later. */
  async function isChanged({ headers }: Pick<Answer, 'headers'>): Promise<boolean> {
    const rows = await api.database.admin(
      `select from events.log
       where correlation_id = $1 and type not in ('identity.member.signed_in', 'audit.request.refused')`,
      [headers['x-request-id']],
    );
    return rows.length > 0;
  }

  it('names the events of the request, over every route and field that records one', async () => {
    const owned = await api.largeTenant();
    // The operator begins these: tenants have no way to.
    for (const reason of ['to end over REST', 'and over GraphQL']) await api.supportAccess(owned.id, reason);
    const sagas = new TestSagas(api);
    for (let count = 0; count < 2; count += 1) await sagas.begin(owned.id, waitingSaga, {});
    const client = new Client(api.app);
    const { routes } = await readCatalogue(client);
    const tasks = new TaskRunner({
      tenants: api.database.tenants(2),
      relay: api.database.as('holdfast_relay', 2),
      grants: new Grants(api.database.as('holdfast_auth', 2)),
      kinds: [new ExportTask(), new AuditExportTask({ log: LOG_NAME })],
      report: (error) => process.stderr.write(`${String(error)}\n`),
    });
    const work = async (): Promise<void> => {
      while ((await tasks.runDue()) > 0);
    };
    const seen: Reply[] = [];
    const see = (reply: Reply): number => seen.push(reply);
    const owner = new Owner(client, routes, owned, {
      mark: 'receipts',
      // Of whom nothing is held, nothing is erased.
      refusals: {
        'POST /v1/audit/subjects/{id}/erase': 'resource.not_found',
        'mutation eraseAuditSubject': 'resource.not_found',
        // Nobody stops a saga but its steps.
        'POST /v1/sagas/{id}/retry': 'sagas.not_stopped',
        'mutation retrySaga': 'sagas.not_stopped',
      },
      states: STATES,
      work,
      see,
    });
    const silent: string[] = [];
    for (const route of routes.filter((each) => each.audience === 'tenant' && each.writes)) {
      const reply = await owner.exercise(route);
      if (!(await isChanged(reply))) silent.push(route.name);
      await owner.tidy('');
    }
    for (const reply of seen) expect(idsIn(reply)).toEqual(await recorded(reply));
    expect(silent.toSorted()).toEqual(WITHOUT_EVENT);
    expect(seen.length).toBeGreaterThan(60);
    await sagas.close();
  }, 240_000);

  it('names them for those who begin or join a tenant, and for the operator', async () => {
    const exp = Math.floor(Date.now() / 1_000) + 3_600;
    const slug = `t-${randomUUID()}`;
    const founder = await issuer.token({ sub: 'founder', exp });
    const begun = await api.ask('POST', '/v1/sign-up', { key: founder, body: { slug, name: slug } });
    const made = await api.operator('POST', '/v1/operator/tenants', {
      body: { slug: `${slug}-2`, name: slug },
    });
    for (const answer of [begun, made]) {
      expect(claimsIn(answer)).toMatchObject([{ tenantId: answer.body['id'] }]);
      expect(idsIn(answer)).toEqual(await recorded(answer));
    }
  });

  it('says of a single transfer what the log has, whatever became of it', async () => {
    const posted = await post({});
    const held = await post({ pending: true, timeoutSeconds: 60 });
    const dated = await post({ effectiveDate: '2026-01-31' });
    const follow = (answer: Answer, what: string, body: object = {}): Promise<Answer> =>
      api.ask('POST', `/v1/ledger/transfers/${String(answer.body['id'])}/${what}`, { key: tenant.key, body });
    const ended = await follow(held, 'post', { amount: '40' });
    const voided = await follow(await post({ pending: true }), 'void');
    const reversals = [
      await follow(posted, 'reverse'),
      await follow(ended, 'reverse', { effectiveDate: '2026-02-01' }),
    ];
    for (const answer of [posted, held, dated, ended, voided, ...reversals]) {
      const { events: [event] = [] } = claimsIn(answer)[0] ?? {};
      const [row] = await api.database.admin<{ data: string } & Record<string, unknown>>(
        `select type, stream_type, stream_id, stream_version, data from events.log where id = $1`,
        [event?.id],
      );
      expect(event).toMatchObject({
        type: row?.['type'],
        stream: { type: row?.['stream_type'], id: row?.['stream_id'] },
      });
      const { version = String(row?.['stream_version']) } = event?.stream ?? {};
      expect(version).toBe(String(row?.['stream_version']));
      expect(event?.dataSha256).toBe(await digestOf(event?.id));
    }
  });

  /** Canonical JSON of a flat payload is PostgreSQL's text of it with its names sorted and without spaces. */
  async function digestOf(id: string | undefined): Promise<string> {
    const [row] = await api.database.admin<{ digest: string }>(
      `select encode(sha256(convert_to('{' || string_agg(format('"%s":"%s"', key, value), ',' order by key collate "C") || '}',
         'utf8')), 'base64') as digest
       from events.log cross join jsonb_each_text(data) where id = $1`,
      [id],
    );
    return String(row?.digest).replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '');
  }

  it('is repeated with the same events', async () => {
    const key = randomUUID();
    const [first, again] = [await post({}, key), await post({}, key)];
    expect(again.headers['idempotency-replayed']).toBe('true');
    const [[one], [other]] = [claimsIn(first), claimsIn(again)];
    expect(one?.events).toHaveLength(1);
    expect(other?.events).toEqual(one?.events);
    const open = { key: tenant.key, idempotencyKey: randomUUID(), body: account('repeated') };
    const opened = [1, 2].map(() => () => api.ask('POST', '/v1/ledger/accounts', open));
    const answers = [await opened[0]?.(), await opened[1]?.()].filter((answer) => answer !== undefined);
    expect(answers[1]?.headers['idempotency-replayed']).toBe('true');
    expect(idsIn(answers[0] as Answer)).toHaveLength(1);
    expect(claimsIn(answers[1] as Answer)[0]?.events).toEqual(claimsIn(answers[0] as Answer)[0]?.events);
  });

  it('vouches for nothing that is remembered beside the log alone', async () => {
    const body = account('forged');
    const open = { key: tenant.key, idempotencyKey: randomUUID(), body };
    await api.ask('POST', '/v1/ledger/accounts', open);
    // What text injected into business SQL could do.
    await api.database.admin('update idempotency.answers set events = $1 where key = $2', [
      JSON.stringify([randomUUID()]),
      open.idempotencyKey,
    ]);
    const again = await api.ask('POST', '/v1/ledger/accounts', open);
    expect(again.headers['idempotency-replayed']).toBe('true');
    expect(again.headers['holdfast-receipt']).toBeUndefined();
    // A transfer whose event was deleted is found, and its replay has no receipt either.
    const key = randomUUID();
    const [id] = idsIn(await post({}, key));
    await api.database.admin(
      `set session_replication_role = replica; delete from events.log where id = '${id}'`,
    );
    expect((await post({}, key)).headers['holdfast-receipt']).toBeUndefined();
  });

  const account = (code: string): object => ({ code, asset: 'EUR/2', normalBalance: 'credit' });

  it('names nothing but the refusal where nothing was changed', async () => {
    const refused = [
      await post({ creditAccountId: randomUUID() }),
      await post({ amount: '-1' }),
      // Refused behind its writes, which are undone.
      await api.ask('POST', '/v1/ledger/accounts', { key: tenant.key, body: account('equity') }),
    ];
    for (const answer of refused) {
      expect(answer.status).toBeGreaterThanOrEqual(400);
      const named = claimsIn(answer).flatMap(({ events = [] }) => events.map(({ type }) => type));
      expect(named.filter((type) => type !== 'audit.request.refused')).toEqual([]);
      expect(idsIn(answer)).toEqual(await recorded(answer));
    }
    const read = await api.ask('GET', '/v1/ledger/accounts', { key: tenant.key });
    expect(read.headers['holdfast-receipt']).toBeUndefined();
  });

  it('counts the events of a batch, and names those of a short one', async () => {
    const items = Array.from({ length: 100 }, () => transfer({ id: randomUUID() }));
    expect(
      claimsIn(await batch([...items, transfer({ id: randomUUID(), creditAccountId: randomUUID() })])),
    ).toMatchObject([{ count: 100 }]);
    // Sent again, the same were committed; a refused one was not.
    expect(claimsIn(await batch(items))).toMatchObject([{ count: 100 }]);
    const short = await batch([transfer({ id: randomUUID() }), transfer({ id: randomUUID() })]);
    expect(idsIn(short)).toEqual(await recorded(short));
  });

  it('tells requests apart whose transfers were posted together', async () => {
    const answers = await Promise.all(Array.from({ length: 40 }, () => post({})));
    for (const answer of answers) {
      expect(idsIn(answer)).toEqual(await recorded(answer));
      expect(idsIn(answer)).toHaveLength(1);
    }
  });

  it('has one receipt for all mutations of a document', async () => {
    const mutation = `mutation ($a: OpenAccountInput!, $b: OpenAccountInput!) {
      one: openAccount(input: $a, idempotencyKey: "a") { id } other: openAccount(input: $b, idempotencyKey: "b") { id } }`;
    const answer = await api.graphql(tenant.key, mutation, {
      a: account('graphql a'),
      b: account('graphql b'),
    });
    expect(answer.body).toMatchObject({ data: { one: {}, other: {} } });
    expect(idsIn(answer)).toEqual(await recorded(answer));
    expect(idsIn(answer)).toHaveLength(2);
  });

  it('is documented where something is changed', async () => {
    const { body } = await api.ask('GET', '/openapi.json');
    const paths = body['paths'] as Record<
      string,
      Record<string, { responses: Record<string, { headers?: object }> }>
    >;
    const { get, post: open } = paths['/v1/ledger/accounts'] ?? {};
    expect(open?.responses['201']?.headers).toHaveProperty('Holdfast-Receipt');
    expect(get?.responses['200']?.headers).not.toHaveProperty('Holdfast-Receipt');
  });

  it('shows its key to those who may read the trail', async () => {
    const [{ keyId } = { keyId: '' }] = claimsIn(await post({}));
    const shown = await api.ask('GET', `/v1/audit/receipt-keys/${keyId}`, { key: tenant.key });
    expect(shown).toMatchObject({ status: 200, body: { id: keyId, certificate: null } });
    expect(shown.headers['cache-control']).toBe('no-store');
    const list = await api.ask('GET', '/v1/audit/receipt-keys?limit=1', { key: tenant.key });
    expect(list.body['data']).toEqual([shown.body]);
    const unknown = await api.ask('GET', `/v1/audit/receipt-keys/${'0'.repeat(32)}`, { key: tenant.key });
    expect(unknown).toMatchObject({ status: 404 });
  });

  it('goes without a receipt where no key could be registered', async () => {
    const failures: unknown[] = [];
    const auth = api.database.as('holdfast_app', 1);
    const receipts = new Receipts({ auth, logName: LOG_NAME, onFailure: (error) => failures.push(error) });
    await receipts.start();
    receipts.close();
    const committed = new CommittedEvents();
    committed.add(tenant.id, [{ type: 'a.b.happened', stream: { type: 'a.b', id: tenant.id } }]);
    expect(await receipts.headerFor('request', committed)).toBeUndefined();
    // Business SQL, and so what is injected into it, registers no key.
    expect(String(failures[0])).toContain('permission denied for function register_receipt_key');
  });
});
