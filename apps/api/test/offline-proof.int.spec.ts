import { setTimeout as sleep } from 'node:timers/promises';
import { AuditExportTask, receiptKeyEntries } from '@holdfast/audit';
import { TaskRunner } from '@holdfast/tasks';
import { Grants } from '@holdfast/tenancy';
import { parseVerifierKey, verifyProofFile } from '@holdfast/tlog';
import { entryIn } from '../../../libs/modules/audit/test/audit-app';
import { runVerifier, type Verdict } from '../../../libs/modules/audit/test/bundle-check';
import { TestSealer } from '../../../libs/modules/audit/test/test-sealer';
import { type Answer, LOG_NAME, TestApi } from './test-api';

/** Promise 5: what a tenant got from the API is verified by a program that has neither our code nor our database. */
describe('What the API gave out', () => {
  let api: TestApi;
  let sealer: TestSealer;
  let tenant: { readonly id: string; readonly key: string };
  let cash: string;
  let equity: string;

  beforeAll(async () => {
    api = await TestApi.start();
    sealer = await TestSealer.create(api.database, { logName: LOG_NAME, installation: receiptKeyEntries });
    tenant = await api.tenant();
    cash = await api.account(tenant.key, 'cash', { normalBalance: 'debit' });
    equity = await api.account(tenant.key, 'equity');
  }, 60_000);
  afterAll(async () => {
    await sealer.close();
    await api.close();
  });

  const get = (url: string): Promise<Answer> => api.ask('GET', `/v1/audit/${url}`, { key: tenant.key });
  const transfer = (amount: string): Promise<Answer> =>
    api.ask('POST', '/v1/ledger/transfers', {
      key: tenant.key,
      body: { debitAccountId: cash, creditAccountId: equity, amount },
    });
  /** The arguments that name the keys of the log, as the API gives them: of this many lines. */
  async function keysOfLog(): Promise<string[]> {
    const { text } = await get('log/key');
    return text
      .trimEnd()
      .split('\n')
      .flatMap((key) => ['--key', key]);
  }
  async function eventOf(answer: Answer): Promise<string> {
    const [row] = await api.database.admin<{ id: string }>(
      'select id from events.log where tenant_id = $1 and correlation_id = $2 order by seq',
      [tenant.id, answer.headers['x-request-id']],
    );
    return row?.id ?? '';
  }

  it('as the proof of an event holds, and with another event in it does not', async () => {
    const id = await eventOf(await transfer('1250'));
    await sealer.seal();
    const keys = await keysOfLog();
    const { status, text } = await get(`events/${id}/proof`);
    expect(status).toBe(200);
    expect(runVerifier({ 'event.tlog-proof': text }, ['event.tlog-proof', ...keys])).toMatchObject({
      ...{ status: 0, intact: true, findings: [], eventId: id, type: 'ledger.transfer.posted' },
    });
    const key = parseVerifierKey(keys[1] ?? '');
    const proven = verifyProofFile(text, { entry: entryIn(text) }, { origin: key.name, logKeys: [key] });
    expect(JSON.parse(String(proven.extra))).toMatchObject({ id, data: { amount: '1250' } });
    const forged = entryIn(text).toString().replace('"1250"', '"9250"');
    const other = text.replace(/^extra .*$/m, `extra ${Buffer.from(forged).toString('base64')}`);
    expect(other).not.toBe(text);
    expect(runVerifier({ 'event.tlog-proof': other }, ['event.tlog-proof', ...keys])).toMatchObject({
      ...{ status: 1, intact: false, findings: [{ kind: 'root' }] },
    });
  });

  it('as a receipt holds against the log, and finds what was altered before it was sealed', async () => {
    const [kept, cheated] = [await transfer('100'), await transfer('200')];
    const altered = await eventOf(cheated);
    await api.database.admin(
      `set session_replication_role = replica;
       update events.log set data = jsonb_set(data, '{amount}', '"2"') where id = '${altered}'`,
    );
    await sealer.seal();
    const bundle = await exported();
    expect(await verified(kept, bundle)).toMatchObject({
      ...{ status: 0, intact: true, findings: [], receipts: 1 },
    });
    expect(await verified(cheated, bundle)).toMatchObject({
      ...{ status: 1, findings: [{ kind: 'receipt', eventId: altered, fields: ['data'] }] },
    });
  });

  /** A bundle of the log as a tenant gets it: ordered, made by a worker and downloaded. */
  async function exported(): Promise<string> {
    const tasks = new TaskRunner({
      tenants: api.database.tenants(2),
      relay: api.database.as('holdfast_relay', 2),
      grants: new Grants(api.database.as('holdfast_auth', 2)),
      kinds: [new AuditExportTask({ log: LOG_NAME })],
      report: (error) => process.stderr.write(`${String(error)}\n`),
    });
    const asked = { key: tenant.key, body: { format: 'bundle' } };
    const { body } = await api.ask('POST', '/v1/audit/exports', asked);
    while ((await tasks.runDue()) > 0);
    return (await get(`exports/${String(body['id'])}/download`)).text;
  }

  /** The single-file verifier with the header of an answer, and the key that signed it. */
  async function verified(answer: Answer, bundle: string): Promise<Verdict & { readonly receipts?: number }> {
    const receipt = String(answer.headers['holdfast-receipt']);
    const extra = entryIn(Buffer.from(receipt, 'base64').toString()).toString();
    const { keyId } = JSON.parse(extra) as { keyId: string };
    const files = { 'log.ndjson': bundle, 'receipt.txt': receipt, 'key.json': await certified(keyId) };
    const kept = ['--receipt', 'receipt.txt', '--receipt-key', 'key.json'];
    return runVerifier(files, ['log.ndjson', ...(await keysOfLog()), ...kept]);
  }

  /** The key as the API shows it once the log has it: the sealer looks for keys once a second, and then signs what it found. */
  async function certified(keyId: string): Promise<string> {
    for (let tries = 0; tries < 50; tries += 1) {
      const { status, text, body } = await get(`receipt-keys/${keyId}`);
      if (status !== 200) throw new Error(`the key cannot be had: ${status}`);
      if (body['certificate'] !== null) return text;
      await sealer.seal();
      await sleep(200);
    }
    throw new Error('the sealer certifies no key');
  }
});
