import { generateKeyPairSync } from 'node:crypto';
import { connect } from 'node:net';
import { userInfo } from 'node:os';
import path from 'node:path';
import { freePort } from '@holdfast/embedded';
import { Client } from 'pg';
import type { DevFile } from '../src/dev/dev-file';
import { DevProcess, type Ended, freshCheckout, holdfast, removeCheckout } from './dev-process';

// Several starts of a whole system, each a few seconds, on a machine that runs other tests beside.
jest.setTimeout(180_000);

describe('The verbs, beside a running holdfast dev', () => {
  const checkout = freshCheckout();
  const dev = new DevProcess(checkout, ['dev', '--no-demo']);
  let running: DevFile;
  beforeAll(async () => {
    running = await dev.ready();
  });
  afterAll(async () => {
    await dev.signal('SIGINT');
    removeCheckout(checkout);
  });

  const run = (...words: string[]): Promise<Ended> => holdfast(checkout, words);
  const statusWith = async (key: string): Promise<number> =>
    (await fetch(`${running.api}/v1/ledger/accounts`, { headers: { authorization: `Bearer ${key}` } }))
      .status;

  async function json<Outcome>(...words: string[]): Promise<Outcome> {
    const { code, stdout, stderr } = await run(...words, '--json');
    if (code !== 0) throw new Error(`holdfast ${words.join(' ')} ended with ${code}: ${stderr}`);
    return JSON.parse(stdout) as Outcome;
  }

  test('create a tenant and keys that work, until they are revoked, and leave a trail', async () => {
    const tenant = await json<{ id: string; slug: string }>(
      'tenant',
      'create',
      'initech',
      '--name',
      'Initech',
    );
    expect(await json('tenant', 'list')).toEqual([tenant]);
    expect(await json('tenant', 'show', 'initech')).toEqual(tenant);
    const auditor = await json<{ secret: string }>('key', 'create', 'initech', '--name', 'auditor');
    const key = await json<{ id: string; secret: string }>(
      'key',
      'create',
      'initech',
      '--scopes',
      'ledger:read',
      '--test',
      '--reason',
      'Ticket 4711: a key for the sandbox',
    );
    expect(key.secret).toMatch(/^hf_test_/);
    expect((await run('key', 'create', 'initech')).stderr).toContain('reason');
    expect(await statusWith(key.secret)).toBe(200);
    await json('key', 'revoke', 'initech', key.id);
    const deadline = Date.now() + 6_000;
    while ((await statusWith(key.secret)) !== 401 && Date.now() < deadline)
      await new Promise((wait) => setTimeout(wait, 200));
    expect(await statusWith(key.secret)).toBe(401);
    expect((await run('key', 'list', 'initech')).stdout).toMatch(/hf_test_.*revoked/);
    const trail = await fetch(`${running.api}/v1/audit/events?actor=system:operator`, {
      headers: { authorization: `Bearer ${auditor.secret}` },
    });
    const { data } = (await trail.json()) as { data: { type: string; actor: string; act: string }[] };
    expect(new Set(data.map(({ act }) => act))).toEqual(new Set([`operator:${userInfo().username}`]));
    expect(data.map(({ type, actor }) => `${actor} ${type}`)).toEqual([
      'system:operator identity.api_key.revoked',
      // The key that was asked for without a reason.
      'system:operator audit.request.refused',
      'system:operator identity.api_key.created',
      'system:operator identity.api_key.created',
      'system:operator tenants.tenant.created',
    ]);
  });

  test('make, show and revoke write keys, signed as the API signs them', async () => {
    const made = await json<{ id: string; key: string }>('write-key', 'create', 'initech', '--name', 'shop');
    const reason = ['--reason', 'Ticket 4711: to see write keys'];
    const { secret } = await json<{ secret: string }>('key', 'create', 'initech', ...reason);
    const headers = { authorization: `Bearer ${secret}` };
    const shown = await fetch(`${running.api}/v1/telemetry/write-keys`, { headers });
    expect(await shown.json()).toMatchObject({ data: [{ id: made.id, name: 'shop', key: made.key }] });
    expect((await run('write-key', 'revoke', 'initech', made.id)).code).toBe(0);
    expect((await run('write-key', 'list', 'initech')).stdout).toMatch(/shop .*revoked .*hfw_/);
  });

  test('print events as they come, until they are interrupted', async () => {
    const { id } = await json<{ id: string }>('tenant', 'create', 'dunder');
    const types = 'tenants.*,identity.*';
    const tail = new DevProcess(checkout, [
      'events',
      'tail',
      'dunder',
      '--from',
      'beginning',
      '--types',
      types,
      '--json',
    ]);
    await tail.until('tenants.tenant.created');
    await run('key', 'create', 'dunder');
    await tail.until('identity.api_key.created');
    const { code, stdout, stderr } = await tail.signal('SIGINT');
    const events = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { type: string; tenantid: string });
    expect([code, events.map(({ type }) => type)]).toEqual([
      0,
      ['tenants.tenant.created', 'identity.api_key.created'],
    ]);
    expect(new Set(events.map(({ tenantid }) => tenantid))).toEqual(new Set([id]));
    const [, cursor = ''] = /--after (\S+)/.exec(stderr) ?? [];
    await run('key', 'create', 'dunder', '--reason', 'another one');
    const rest = new DevProcess(checkout, ['events', 'tail', 'dunder', '--after', cursor]);
    await rest.until('identity.api_key.created');
    expect((await rest.signal('SIGINT')).stdout.trim().split('\n')).toHaveLength(1);
    expect((await run('events', 'tail', 'dunder', '--from', 'yesterday')).code).toBe(2);
  });

  test('refuse clearly: a slug that is taken (1), a slug that is none (2), a tenant that is unknown (1)', async () => {
    await json('tenant', 'create', 'hooli');
    const taken = await run('tenant', 'create', 'hooli', '--json');
    expect([taken.code, JSON.parse(taken.stderr)]).toMatchObject([
      1,
      { error: { code: 'tenants.slug_taken' } },
    ]);
    expect((await run('tenant', 'create', 'Not A Slug')).code).toBe(2);
    expect((await run('tenant', 'show', 'nobody')).code).toBe(1);
  });

  test('rotate the signing key without a failed request', async () => {
    await json('tenant', 'create', 'umbrella');
    const { secret } = await json<{ secret: string }>('key', 'create', 'umbrella');
    expect(await statusWith(secret)).toBe(200);
    expect(await json('key', 'rotate-signing')).toEqual({ keyId: expect.stringMatching(/^\d{4}$/) });
    expect(await statusWith(secret)).toBe(200);
  });

  test('find nothing to migrate, and no hole in isolation until there is one', async () => {
    expect(await json<{ applied: string[] }>('migrate')).toMatchObject({ applied: [] });
    expect((await run('doctor')).code).toBe(0);
    const client = new Client({ connectionString: running.database.admin });
    await client.connect();
    await client.query('alter table ledger.accounts no force row level security');
    const found = await run('doctor');
    await client.query('alter table ledger.accounts force row level security');
    await client.end();
    expect(found.code).toBe(1);
    expect(found.stdout).toContain('ledger.accounts');
    expect((await run('doctor')).code).toBe(0);
  });

  test('find a ledger sound, and name the row of one that is not', async () => {
    const { id } = await json<{ id: string }>('tenant', 'create', 'vandelay');
    expect(await json('ledger', 'verify', '--tenant', 'vandelay', '--full')).toMatchObject([
      { tenantId: id, slug: 'vandelay', breaks: [] },
    ]);
    const client = new Client({ connectionString: running.database.admin });
    await client.connect();
    // Money that no transfer has moved.
    const { rows } = await client.query<{ id: string }>(
      `insert into ledger.accounts (tenant_id, id, code, asset, normal_balance, limit_rule, posted_debits)
       values ($1, gen_random_uuid(), 'spoilt', 'EUR/2', 'debit', 'none', 7) returning id`,
      [id],
    );
    const found = await run('ledger', 'verify', '--full');
    const folded = await run('audit', 'fold', '--tenant', 'vandelay');
    await client.query('delete from ledger.accounts where tenant_id = $1', [id]);
    await client.end();
    expect(found.code).toBe(1);
    expect(found.stdout).toMatch(
      new RegExp(`vandelay +posted +ledger.accounts +${rows[0]?.id} +posted debits 0 and credits 0`),
    );
    expect(found.stdout).toMatch(/2 breaks/);
    expect((await run('ledger', 'verify', '--full')).code).toBe(0);
    expect(folded.code).toBe(1);
    expect(folded.stdout).toMatch(
      new RegExp(`vandelay +ledger.account/${rows[0]?.id} +events +a row +no events`),
    );
    expect(await json('audit', 'fold', '--tenant', 'vandelay')).toMatchObject([
      { tenantId: id, slug: 'vandelay', differenceCount: 0, differences: [] },
    ]);
  });
});

describe('The verbs, without a system', () => {
  test('say that there is none (2), and list every fault of a configuration (2)', async () => {
    const checkout = freshCheckout();
    const lost = await holdfast(checkout, ['tenant', 'list']);
    expect([lost.code, lost.stderr]).toEqual([
      2,
      expect.stringContaining('no `holdfast dev` runs') as string,
    ]);
    const api = await holdfast(checkout, ['api'], { DATABASE_URL: 'mysql://x', LOG_LEVEL: 'loud' });
    expect(api.code).toBe(2);
    for (const name of [
      'DATABASE_URL',
      'DATABASE_AUTH_URL',
      'DATABASE_OPS_URL',
      'CLICKHOUSE_URL',
      'LOG_LEVEL',
    ]) {
      expect(api.stderr).toContain(name);
    }
    removeCheckout(checkout);
  });

  test('outlive a reader who reads no further', async () => {
    const checkout = freshCheckout();
    const help = new DevProcess(checkout, ['--help']);
    help.closeOutput();
    const { code, stderr } = await help.ended;
    expect([code, stderr]).toEqual([0, '']);
    removeCheckout(checkout);
  });

  test('stop ingest in order, and at the latest when a request has had its time', async () => {
    const checkout = freshCheckout();
    const port = await freePort();
    const { publicKey } = generateKeyPairSync('ed25519');
    // Neither server is there: ingest waits for none.
    const ingest = new DevProcess(checkout, ['ingest'], {
      HOLDFAST_INGEST_PORT: String(port),
      CLICKHOUSE_URL: 'http://holdfast:secret@127.0.0.1:9',
      HOLDFAST_API_URL: 'http://127.0.0.1:9',
      INGEST_DIRECTORY: path.join(checkout, 'ingest'),
      WRITE_KEY_PUBLIC: publicKey.export({ format: 'der', type: 'spki' }).toString('base64'),
    });
    await ingest.until('Ingest listens');
    const hanging = connect(port, '127.0.0.1').on('error', () => {});
    hanging.write('POST /v1/track HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n{');
    const askedAt = Date.now();
    const { code } = await ingest.signal('SIGTERM');
    expect(code).toBe(0);
    expect(Date.now() - askedAt).toBeLessThan(25_000);
    hanging.destroy();
    removeCheckout(checkout);
  });
});
