import { createHash } from 'node:crypto';
import { type Caller, newId } from '@holdfast/kernel';
import { Grants } from '@holdfast/tenancy';
import { TestDatabase } from '@holdfast/testing';
import { CredentialUses } from './credential-uses';

interface Row {
  readonly address: string;
  readonly salt: string;
  readonly last_used_at: Date;
}

describe('CredentialUses', () => {
  let database: TestDatabase;
  let caller: Caller;
  const opened: CredentialUses[] = [];

  beforeAll(async () => {
    database = await TestDatabase.create();
  });
  beforeEach(async () => {
    caller = { ...(await database.caller()), actor: `api_key:${newId()}` };
  });
  afterAll(async () => {
    await Promise.all(opened.map((uses) => uses.onApplicationShutdown()));
    await database.drop();
  });

  /** The recorder of another process. */
  const recorder = (): CredentialUses => {
    const uses = new CredentialUses(new Grants(database.as('holdfast_auth', 1)), database.tenants(1));
    opened.push(uses);
    return uses;
  };
  const events = () =>
    database.admin<{ data: { credential: string; commitments: string[] }; text: string; version: bigint }>(
      'select data, to_jsonb(l)::text as text, stream_version as version from events.log l where tenant_id = $1 order by seq',
      [caller.tenantId],
    );
  const rows = () =>
    database.admin<Row>(
      'select address, salt, last_used_at from identity.credential_addresses where tenant_id = $1 order by address',
      [caller.tenantId],
    );

  it('tells a new address from the first, and says neither in an event', async () => {
    const uses = recorder();
    uses.record(caller, '192.0.2.1');
    await uses.flush();
    expect(await events()).toEqual([]);
    uses.record(caller, '192.0.2.2');
    await uses.flush();
    const [event] = await events();
    const [, { salt }] = (await rows()) as [Row, Row];
    const commitment = createHash('sha256').update(`${salt} 192.0.2.2`).digest('hex');
    expect(event?.data).toEqual({ credential: caller.actor, commitments: [commitment] });
    expect(event?.text).not.toContain('192.0.2');
  });

  it('announces the second address once, whichever of many processes sees it', async () => {
    const all = Array.from({ length: 4 }, recorder);
    for (const [index, uses] of all.entries()) uses.record(caller, `192.0.2.${index % 2}`);
    await Promise.all(all.map((uses) => uses.flush()));
    expect(await rows()).toHaveLength(2);
    expect((await events()).flatMap(({ data }) => data.commitments)).toHaveLength(1);
  });

  it('writes a use at an address once a minute, and the last of each', async () => {
    const uses = recorder();
    for (let request = 0; request < 100; request += 1) uses.record(caller, '192.0.2.1');
    await uses.flush();
    const [written] = await rows();
    uses.record(caller, '192.0.2.1');
    await uses.flush();
    expect(await rows()).toEqual([written]);
  });

  it('keeps what it could not write for the next time', async () => {
    const uses = recorder();
    await database.admin('revoke insert on identity.credential_uses from holdfast_app');
    uses.record(caller, '192.0.2.1');
    await uses.flush();
    expect(await rows()).toEqual([]);
    await database.admin('grant insert on identity.credential_uses to holdfast_app');
    await uses.onApplicationShutdown();
    expect(await rows()).toHaveLength(1);
  });

  it('takes sixteen addresses of a credential at a time, and remembers fifty', async () => {
    const uses = recorder();
    for (let batch = 0; batch < 5; batch += 1) {
      for (let host = 0; host < 20; host += 1) uses.record(caller, `192.0.2.${batch * 20 + host}`);
      await uses.flush();
    }
    expect(await rows()).toHaveLength(50);
    expect((await events()).map(({ data }) => data.commitments.length)).toEqual([15, 16, 16, 16, 16]);
  });

  it('forgets an address 90 days after its last use, at the next use of any credential', async () => {
    const uses = recorder();
    uses.record(caller, '192.0.2.1');
    await uses.flush();
    for (const table of ['credential_addresses', 'credential_uses']) {
      await database.admin(
        `update identity.${table} set last_used_at = now() - interval '91 days' where tenant_id = $1`,
        [caller.tenantId],
      );
    }
    uses.record({ ...caller, actor: `api_key:${newId()}` }, '192.0.2.2');
    await uses.flush();
    expect(await rows()).toMatchObject([{ address: '192.0.2.2' }]);
    const last = await database.admin(
      'select last_address from identity.credential_uses where tenant_id = $1 and credential = $2',
      [caller.tenantId, caller.actor],
    );
    expect(last).toEqual([{ last_address: null }]);
  });

  it('leaves out the system and who acts in support', async () => {
    const uses = recorder();
    uses.record({ ...caller, actor: 'system:operator' }, '192.0.2.1');
    uses.record({ ...caller, actor: `support:${newId()}`, act: 'operator:alice' }, '192.0.2.1');
    uses.record({ ...caller, actor: `member:${newId()}`, act: 'operator:alice' }, '192.0.2.1');
    await uses.flush();
    expect(await rows()).toEqual([]);
  });

  it('forgets a tenant that is gone', async () => {
    const uses = recorder();
    uses.record(caller, '192.0.2.1');
    await database.admin("insert into auth.tenants (id, state) values ($1, 'erased')", [caller.tenantId]);
    await uses.flush();
    expect(await rows()).toEqual([]);
  });
});
