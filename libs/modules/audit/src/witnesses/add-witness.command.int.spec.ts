import { randomUUID } from 'node:crypto';
import type { Caller } from '@holdfast/kernel';
import { formatVerifierKey, generateSignerKey } from '@holdfast/tlog';
import { type Answer, AuditApp } from '../../test/audit-app';
import { WITNESSES_MAX } from './witness';
import { WitnessesModule } from './witnesses.module';

const keyIn = (verifierKey: string): string => verifierKey.split('+', 2).join('+');
const keyOf = (name: string): string => formatVerifierKey(generateSignerKey(name, 'cosignature/v1'));

describe('Witnesses of a tenant', () => {
  const configured = { verifierKey: keyOf('operators.example/w'), url: 'http://witness.internal:8080/' };
  let app: AuditApp;
  let caller: Caller;

  beforeAll(async () => {
    app = await AuditApp.start([WitnessesModule.forRoot({ configured: [configured], allowedNetworks: [] })]);
    caller = await app.tenant('caller');
    await app.tenant('other');
    app.nobody('nobody', caller);
  });
  afterAll(() => app.close());

  const add = (body: object, as = 'caller', key: string = randomUUID()): Promise<Answer> =>
    app.ask('/witnesses', { as, method: 'POST', headers: { 'idempotency-key': key }, body });
  const list = async (as = 'caller') =>
    (JSON.parse((await app.ask('/witnesses', { as })).text) as { data: { id: string | null }[] }).data;
  const events = (id: string) =>
    app.database.admin<{ type: string; stream_version: string; data: object }>(
      'select type, stream_version, data from events.log where stream_id = $1 order by seq',
      [id],
    );

  it('are added, and listed beside those of the operator', async () => {
    const verifierKey = keyOf('own.example/w');
    const added = await add({ verifierKey, url: 'https://witness.example.com/own' });
    expect(added.status).toBe(201);
    const { id } = JSON.parse(added.text);
    expect(await list()).toMatchObject([
      { id, name: 'own.example/w', verifierKey, url: 'https://witness.example.com/own', size: null },
      { id: null, name: 'operators.example/w', url: configured.url },
    ]);
    const { auditWitnesses } = await app.graphql<{ auditWitnesses: object[] }>(
      '{ auditWitnesses { id name } }',
    );
    expect(auditWitnesses).toEqual([
      { id, name: 'own.example/w' },
      { id: null, name: 'operators.example/w' },
    ]);
    expect(await events(id)).toEqual([
      { type: 'audit.witness.added', stream_version: '1', data: { key: keyIn(verifierKey) } },
    ]);
  });

  it('are added once for one request, and once for one key', async () => {
    const body = { verifierKey: keyOf('twice.example/w'), url: 'https://witness.example.com/' };
    const key = randomUUID();
    const [first, again] = [await add(body, 'caller', key), await add(body, 'caller', key)];
    expect([first.status, again.status]).toEqual([201, 201]);
    expect(again.text).toBe(first.text);
    expect((await add(body)).code).toBe('audit.witness_exists');
    expect((await add({ ...body, verifierKey: configured.verifierKey })).code).toBe('audit.witness_exists');
    expect((await add(body, 'other')).status).toBe(201);
  });

  it.each([
    ['http://witness.example.com/', 'audit.url_not_allowed'],
    ['https://127.0.0.1/', 'audit.url_not_allowed'],
    ['https://[::1]/', 'audit.url_not_allowed'],
    ['https://10.0.0.8/', 'audit.url_not_allowed'],
    ['https://user:secret@witness.example.com/', 'audit.url_not_allowed'],
    ['https://witness.example.com:22/', 'audit.url_not_allowed'],
  ])('are not asked at %s', async (url, code) => {
    const { status, text } = await add({ verifierKey: keyOf('elsewhere.example/w'), url });
    expect(status).toBe(422);
    expect(text).toContain(`"${code}"`);
  });

  it.each([
    formatVerifierKey(generateSignerKey('log.example')),
    keyOf('a.example/w').replace(/\+[0-9a-f]{8}\+/, '+00000000+'),
    'nonsense',
  ])('have a key for cosignatures, and not %s', async (verifierKey) => {
    expect((await add({ verifierKey, url: 'https://witness.example.com/' })).status).toBe(422);
  });

  it('are at most so many', async () => {
    await app.tenant('many');
    const body = (n: number) => ({
      verifierKey: keyOf(`w${n}.example`),
      url: 'https://witness.example.com/',
    });
    for (let n = 0; n < WITNESSES_MAX; n += 1) expect((await add(body(n), 'many')).status).toBe(201);
    expect((await add(body(99), 'many')).code).toBe('audit.too_many_witnesses');
  });

  it('take audit:read to be seen, and audit:write to be changed', async () => {
    const body = { verifierKey: keyOf('nobodys.example/w'), url: 'https://witness.example.com/' };
    expect((await app.ask('/witnesses', { as: 'nobody' })).status).toBe(403);
    expect((await add(body, 'nobody')).status).toBe(403);
  });
});
