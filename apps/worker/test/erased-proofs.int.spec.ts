import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { gunzipSync } from 'node:zlib';
import { readConfig } from '@holdfast/config';
import { createLogger } from '@holdfast/observability';
import { Receiver, TestVault } from '@holdfast/testing';
import { parseVerifierKey, verifyProofFile } from '@holdfast/tlog';
import { type Answer, LOG_NAME, TestApi, trusting } from '../../api/test/test-api';
import { entryIn } from '../../../libs/modules/audit/test/audit-app';
import { runVerifier } from '../../../libs/modules/audit/test/bundle-check';
import { testLogKey } from '../../../libs/modules/audit/test/test-sealer';
import { type RunningWorker, startWorker } from '../src/worker';

const ISSUER = 'https://id.example.com';
const NETWORKS = '127.0.0.0/8';
/** Sealing, delivery and tasks go their own ways behind a commit. */
const LOOKS_MAX = 400;
const LOOK_INTERVAL_MS = 100;

/** What somebody outside has of the log: a bundle, and the proofs of events by their ids. */
interface Kept {
  readonly bundle: Buffer;
  readonly proofs: ReadonlyMap<string, string>;
}

/** Promise 5 beside erasure, through the API and a worker: the value is nowhere, and every proof ever given holds. */
describe('When a person is erased', () => {
  const email = `ada.${randomBytes(6).toString('hex')}@example.com`;
  const name = `Ada ${randomBytes(6).toString('hex')}`;
  const sealing = { id: 'test', key: randomBytes(32).toString('base64') };
  const vault = new TestVault();
  const signer = mkdtempSync(join(tmpdir(), 'holdfast-signer-'));
  let api: TestApi;
  let worker: RunningWorker;
  let receiver: Receiver;
  let tenant: { readonly id: string; readonly key: string };
  let person: string;
  let before: Kept;
  let after: Kept;
  /** Exports that are stored and were made before, by where they are downloaded. */
  let stored: string[];

  beforeAll(async () => {
    receiver = await Receiver.start();
    const webhooks = { keys: [sealing], allowedNetworks: [NETWORKS] };
    api = await TestApi.start({}, [], [trusting(ISSUER)], { vault: vault.open(), webhooks });
    worker = await startWorker(workerConfig(), {
      logger: createLogger({ app: 'worker', level: 'error' }),
      telemetry: api.telemetry,
      serveMetrics: false,
    });
    tenant = await api.largeTenant();
    await ask('POST', '/v1/webhooks', { url: receiver.url });
    person = await formerMember();
    const events = await eventsOf(person);
    stored = [await exported('ndjson'), await exported('csv'), await exported('bundle')];
    before = { proofs: await prove(events), bundle: await download(stored[2] ?? '') };

    await ask('POST', `/v1/audit/subjects/${person}/erase`, {});
    const status = (): Promise<unknown> =>
      get(`/v1/audit/subjects/${person}`).then(({ body }) => body['status']);
    await until(async () => (await status()) === 'erased');
    // With the two that tell of the erasure.
    const proofs = await prove(await eventsOf(person));
    after = { proofs, bundle: await download(await exported('bundle')) };
  }, 120_000);
  afterAll(async () => {
    await worker.stop();
    await api.close();
    await receiver.stop();
    vault.remove();
    rmSync(signer, { recursive: true });
  });

  const workerConfig = (): ReturnType<typeof readConfig<'worker'>> =>
    readConfig('worker', {
      DATABASE_URL: api.database.url('holdfast_app'),
      DATABASE_AUTH_URL: api.database.url('holdfast_auth'),
      DATABASE_RELAY_URL: api.database.url('holdfast_relay'),
      DATABASE_JOBS_URL: api.database.url('holdfast_jobs'),
      DATABASE_SEALER_URL: api.database.url('holdfast_sealer'),
      CLICKHOUSE_URL: 'http://127.0.0.1:1/unused',
      AUDIT_LOG_NAME: LOG_NAME,
      AUDIT_LOG_KEY_PRIVATE: testLogKey(),
      AUDIT_SIGNER_DIRECTORY: signer,
      WEBHOOK_SECRETS_KEY: `${sealing.id}=${sealing.key}`,
      WEBHOOK_ALLOWED_NETWORKS: NETWORKS,
      NODE_ENV: 'test',
      ...vault.environment,
    });

  const get = (url: string): Promise<Answer> => api.ask('GET', url, { key: tenant.key });
  async function ask(
    method: 'POST' | 'PATCH' | 'DELETE',
    url: string,
    body?: object,
    version?: string,
  ): Promise<Answer['body']> {
    const headers = version === undefined ? {} : { 'if-match': version };
    const answer = await api.ask(method, url, { key: tenant.key, headers, ...(body && { body }) });
    if (answer.status >= 300) throw new Error(`${method} ${url}: ${answer.status} ${answer.text}`);
    return answer.body;
  }

  async function until(isSo: () => Promise<boolean>): Promise<void> {
    for (let look = 0; look < LOOKS_MAX; look += 1) {
      if (await isSo()) return;
      await sleep(LOOK_INTERVAL_MS);
    }
    throw new Error(`it never was so: ${isSo.toString()}`);
  }

  /** Somebody who was added, renamed and removed: two events say what they are called. */
  async function formerMember(): Promise<string> {
    const added = await ask('POST', '/v1/members', {
      ...{ issuer: ISSUER, subject: 'sub-of-ada', role: 'member', email },
    });
    const url = `/v1/members/${String(added['id'])}`;
    const changed = await ask('PATCH', url, { displayName: name }, `"${String(added['version'])}"`);
    await ask('DELETE', url, undefined, `"${String(changed['version'])}"`);
    return String(added['id']);
  }

  async function eventsOf(streamId: string): Promise<string[]> {
    const rows = await api.database.admin<{ id: string }>(
      'select id from events.log where tenant_id = $1 and stream_id = $2 order by seq',
      [tenant.id, streamId],
    );
    return rows.map(({ id }) => id);
  }

  /** The proof of each event, as soon as it is sealed. */
  async function prove(ids: readonly string[]): Promise<Map<string, string>> {
    const proofs = new Map<string, string>();
    for (const id of ids) {
      await until(async () => {
        const { status, text } = await get(`/v1/audit/events/${id}/proof`);
        if (status === 200) proofs.set(id, text);
        return status === 200;
      });
    }
    return proofs;
  }

  /** Has the worker make an export; answers where it is. */
  async function exported(format: string): Promise<string> {
    const { id } = await ask('POST', '/v1/audit/exports', { format });
    const url = `/v1/audit/exports/${String(id)}`;
    await until(async () => (await get(url)).body['status'] === 'completed');
    return `${url}/download`;
  }

  async function download(url: string): Promise<Buffer> {
    const headers = { authorization: `Bearer ${tenant.key}` };
    const { rawPayload } = await api.app.inject({ method: 'GET', url, headers });
    return rawPayload[0] === 0x1f ? gunzipSync(rawPayload) : rawPayload;
  }

  /** Tables with a row that has the text, as text or as bytes. */
  async function tablesWith(text: string): Promise<string[]> {
    const tables = await api.database.admin<{ name: string }>(
      `select oid::regclass::text as name from pg_class
       where relkind in ('r', 'p') and relnamespace::regnamespace::text !~ '^(pg_|information_schema)'`,
    );
    const found: string[] = [];
    for (const { name: table } of tables) {
      const rows = await api.database.admin(
        `select from ${table} t
         where strpos(t::text, $1) > 0 or strpos(t::text, encode(convert_to($1, 'utf8'), 'hex')) > 0 limit 1`,
        [text],
      );
      if (rows.length > 0) found.push(table);
    }
    return found;
  }

  const keys = async (): Promise<string[]> => {
    const { text } = await get('/v1/audit/log/key');
    return text.trimEnd().split('\n');
  };

  it('every proof that was given before holds, and so do those that are given after', async () => {
    const [key = ''] = await keys();
    const policy = { origin: parseVerifierKey(key).name, logKeys: [parseVerifierKey(key)] };
    const files = [...before.proofs, ...after.proofs];
    expect([before.proofs.size, after.proofs.size]).toEqual([3, 5]);
    for (const [id, file] of files) {
      const verdict = runVerifier({ 'event.tlog-proof': file }, ['event.tlog-proof', '--key', key]);
      expect(verdict).toMatchObject({ status: 0, intact: true, eventId: id });
      expect(JSON.parse(String(verifyProofFile(file, { entry: entryIn(file) }, policy).extra))).toMatchObject(
        { id },
      );
    }
    for (const [id, file] of before.proofs)
      expect(entryIn(file).equals(entryIn(after.proofs.get(id) ?? ''))).toBe(true);
  });

  it('the log continues what it was, and has redactions where values were', async () => {
    const [key = ''] = await keys();
    const files = { 'before.ndjson': before.bundle, 'after.ndjson': after.bundle };
    const old = runVerifier(files, ['before.ndjson', '--key', key]);
    const verdict = runVerifier(files, ['after.ndjson', '--key', key, '--against', 'before.ndjson']);
    for (const each of [old, verdict]) expect(each).toMatchObject({ status: 0, intact: true, findings: [] });
    const redacted = verdict.redactions.filter(({ eventId }) => before.proofs.has(eventId));
    expect(redacted.map(({ path }) => path).toSorted()).toEqual(['/displayName', '/email', '/email']);
    // A log that is not its continuation is told from one that is.
    const turned = runVerifier(files, ['before.ndjson', '--key', key, '--against', 'after.ndjson']);
    expect(turned).toMatchObject({ status: 1, intact: false });
  });

  it('the trail shows that something was there', async () => {
    const [added = '', changed = ''] = before.proofs.keys();
    const show = async (id: string): Promise<unknown> => (await get(`/v1/audit/events/${id}`)).body['data'];
    expect(await show(added)).toMatchObject({ email: { redacted: true } });
    expect(await show(changed)).toMatchObject({ displayName: { redacted: true } });
    const { body } = await get(`/v1/audit/events?stream=audit.subject/${person}`);
    expect(body['data']).toMatchObject([
      { type: 'audit.subject.erased' },
      { type: 'audit.subject.erasure_requested' },
    ]);
  });

  it('no value is in a table, nor in an export, whenever it was made', async () => {
    expect([await tablesWith(email), await tablesWith(name)]).toEqual([[], []]);
    expect(await tablesWith(person)).toContain('events.log');
    for (const url of stored) {
      const content = (await download(url)).toString();
      expect(content).toContain(person);
      expect([content.includes(email), content.includes(name)]).toEqual([false, false]);
    }
    for (const bundle of [before.bundle, after.bundle]) expect(bundle.includes(email)).toBe(false);
    const size = Number(/^\d+$/m.exec((await get('/v1/audit/log/checkpoint')).text)?.[0]);
    const entries = await get(`/v1/audit/log/tile/entries/000.p/${size}`);
    expect([entries.status, entries.text.includes(person), entries.text.includes(email)]).toEqual([
      ...[200, true, false],
    ]);
  });

  it('whoever the events were delivered to has commitments alone', async () => {
    const [added = ''] = before.proofs.keys();
    const { data } = JSON.parse(entryIn(before.proofs.get(added) ?? '').toString()) as {
      readonly data: { readonly email: { readonly commitment: string } };
    };
    const { commitment } = data.email;
    const rows = { text: 'select data from telemetry.tenant_events(tenant_id = {tenant_id:UUID})' };
    const inClickHouse = async (): Promise<string> =>
      JSON.stringify(await api.telemetry.read<{ data: string }>(tenant.id, rows, {}));
    const received = (): string => receiver.received.map(({ body }) => body).join('\n');
    for (const delivered of [inClickHouse, () => Promise.resolve(received())]) {
      await until(async () => (await delivered()).includes(commitment));
      const text = await delivered();
      expect([text.includes(email), text.includes(name)]).toEqual([false, false]);
    }
  });
});
