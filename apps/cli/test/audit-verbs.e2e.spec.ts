import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import { runVerifier } from '../../../libs/modules/audit/test/bundle-check';
import type { DevFile } from '../src/dev/dev-file';
import { DevProcess, type Ended, freshCheckout, holdfast, removeCheckout } from './dev-process';

// A start of a whole system and some twenty verbs, each a process, on a machine that runs other tests beside.
jest.setTimeout(180_000);

/** The demo's events are sealed some seconds behind their commits. */
const SEALED_WITHIN_MS = 20_000;

/** What `audit status --json` prints. */
interface Shown {
  readonly sealer: unknown;
  readonly tenants: readonly { readonly size: string; readonly signedSize: string }[];
}

describe('The verbs of the audit log, over the demo', () => {
  const checkout = freshCheckout();
  const dev = new DevProcess(checkout);
  let running: DevFile;
  let acme: DevFile['tenants'][number];
  let event: string;
  let key: string;

  beforeAll(async () => {
    running = await dev.ready();
    const [first] = running.tenants;
    if (!first) throw new Error('the demo has no tenant');
    acme = first;
    const posted = JSON.parse(await get('/v1/audit/events?type=ledger.transfer.posted&limit=1')) as {
      readonly data: readonly { readonly id: string }[];
    };
    event = posted.data[0]?.id ?? '';
    const endsAtMs = Date.now() + SEALED_WITHIN_MS;
    while ((await run('audit', 'proof', event, '--tenant', 'acme', '--json')).code !== 0) {
      if (Date.now() > endsAtMs) throw new Error('the demo is not sealed');
      await sleep(500);
    }
    key = (await get('/v1/audit/log/key')).trim();
  });
  afterAll(async () => {
    await dev.signal('SIGINT');
    removeCheckout(checkout);
  });

  const run = (...words: string[]): Promise<Ended> => holdfast(checkout, words);
  const read = (file: string): string => readFileSync(join(checkout, file), 'utf8');
  async function get(path: string): Promise<string> {
    const headers = { authorization: `Bearer ${acme.adminKey}` };
    const answer = await fetch(`${running.api}${path}`, { headers });
    if (!answer.ok) throw new Error(`${path} answers ${answer.status}`);
    return answer.text();
  }
  async function json(...words: string[]): Promise<unknown> {
    const { code, stdout, stderr } = await run(...words, '--json');
    if (code !== 0) throw new Error(`holdfast ${words.join(' ')} ended with ${code}: ${stderr}${stdout}`);
    return JSON.parse(stdout);
  }

  test('prove an event by a file that the single-file verifier takes', async () => {
    const { code, stdout } = await run('audit', 'proof', event, '--out', 'event.tlog-proof');
    expect([code, stdout]).toEqual([0, '']);
    const proofs = [read('event.tlog-proof'), await get(`/v1/audit/events/${event}/proof`)];
    for (const proof of proofs) {
      const verdict = runVerifier({ proof }, ['proof', '--key', key]);
      expect(verdict).toMatchObject({ status: 0, eventId: event, type: 'ledger.transfer.posted' });
    }
    expect(await json('audit', 'proof', event)).toMatchObject({ tenantId: acme.id, slug: 'acme' });
    expect((await run('audit', 'proof', 'first')).code).toBe(2);
    const unknown = await run('audit', 'proof', acme.id);
    expect([unknown.code, unknown.stderr]).toEqual([1, 'There is no such event.\n']);
  });

  test('verify the log in the database, against a checkpoint that was kept, and over HTTP', async () => {
    const { code, stdout } = await run('audit', 'checkpoint', '--tenant', 'acme');
    expect(code).toBe(0);
    expect(stdout).toContain(`/${acme.id}/1\n`);
    writeFileSync(join(checkout, 'acme.checkpoint'), stdout);
    expect(await json('audit', 'checkpoint')).toMatchObject([{ slug: 'acme' }, { slug: 'globex' }]);
    const all = await run('audit', 'verify');
    expect([all.code, all.stdout]).toEqual([
      0,
      expect.stringMatching(/^2 logs, \d+ events, 0 findings: intact\.\n$/),
    ]);
    const kept = ['--tenant', 'acme', '--checkpoint', 'acme.checkpoint', '--key', key];
    expect(await json('audit', 'verify', ...kept)).toMatchObject([{ slug: 'acme', findingCount: 0 }]);
    writeFileSync(join(checkout, 'acme.secret'), acme.adminKey);
    const served = ['--url', running.api, '--api-key-file', 'acme.secret'];
    expect((await run('audit', 'verify', ...served)).stdout).toMatch(/\/1, \d+ leaves: intact\.\n$/);
    expect(await json('audit', 'verify', ...served)).toMatchObject({ findings: [] });
    expect((await run('audit', 'verify', '--url', running.api)).code).toBe(2);
  });

  test('show how far the logs are, and who seals them', async () => {
    const { sealer, tenants } = (await json('audit', 'status')) as Shown;
    expect(sealer).toEqual({ holder: expect.any(String), until: expect.stringMatching(/^2.*Z$/) });
    expect(tenants).toMatchObject([{ slug: 'acme' }, { slug: 'globex' }]);
    const [log] = tenants;
    expect(log).toMatchObject({ epoch: 1, witnesses: [], breaks: 0, signedSecondsAgo: expect.any(Number) });
    expect(Number(log?.signedSize)).toBeGreaterThan(1);
    expect(Number(log?.size)).toBeGreaterThanOrEqual(Number(log?.signedSize));
    const shown = await run('audit', 'status', '--tenant', 'acme');
    expect(shown.stdout).toMatch(/^tenant +epoch +leaves.*\nacme +1 +\d+ +\d+ +\d+ s +- +0\n\nSealed by /);
  });

  test('export the log, and verify what was exported', async () => {
    const bundle = ['audit', 'export', '--tenant', 'acme', '--format', 'bundle', '--out', 'acme.ndjson'];
    expect(await json(...bundle)).toMatchObject({ status: 'completed', format: 'bundle' });
    expect((await run(...bundle)).code).toBe(2);
    const verify = ['audit', 'verify', '--export', 'acme.ndjson'];
    expect((await run(...verify, '--key', key)).stdout).toMatch(/^Intact\.\n/);
    expect(await json(...verify, '--key', key)).toMatchObject({ intact: true, findings: [] });
    expect((await run(...verify)).code).toBe(2);
    writeFileSync(join(checkout, 'acme.ndjson'), read('acme.ndjson').replace(event, acme.id));
    const forged = await run(...verify, '--key', key);
    expect([forged.code, forged.stdout]).toEqual([1, expect.stringMatching(/^NOT INTACT/)]);
    const csv = await run('audit', 'export', '--tenant', 'acme', '--format', 'csv', '--out', 'acme.csv');
    expect([csv.code, csv.stdout]).toEqual([
      0,
      expect.stringMatching(/ in acme\.csv; SHA-256 [0-9a-f]{64}\.\n$/),
    ]);
    expect(read('acme.csv')).toContain(event);
  });

  test('find the tables to be what the events say', async () => {
    const { code, stdout } = await run('audit', 'fold');
    expect([code, stdout]).toEqual([
      0,
      expect.stringMatching(
        /^2 tenants, \d+ aggregates, \d+ events: the tables are what the events say\.\n$/,
      ),
    ]);
    expect(await json('audit', 'fold', '--tenant', 'acme')).toMatchObject([
      { slug: 'acme', differenceCount: 0, unknownTypes: [] },
    ]);
  });

  // Last: it alters the log.
  test('name the event that was altered, whichever way they look', async () => {
    const client = new Client({ connectionString: running.database.admin });
    await client.connect();
    await client.query('set session_replication_role = replica');
    await client.query(`update events.log set actor = 'member:nobody' where id = $1`, [event]);
    await client.end();
    const found = await run('audit', 'verify', '--tenant', 'acme');
    expect([found.code, found.stdout]).toEqual([1, expect.stringMatching(new RegExp(`${event}.*actor`))]);
    const served = await run('audit', 'verify', '--url', running.api, '--api-key-file', 'acme.secret');
    expect([served.code, served.stdout]).toEqual([1, expect.stringContaining(event)]);
    const proof = await run('audit', 'proof', event, '--json');
    expect([proof.code, JSON.parse(proof.stderr)]).toMatchObject([
      1,
      { error: { code: 'audit.event_altered' } },
    ]);
  });
});
