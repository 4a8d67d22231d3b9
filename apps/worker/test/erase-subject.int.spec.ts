import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  AuditModule,
  EraseSubject,
  LiftLegalHold,
  PlaceLegalHold,
  SubjectErasureTask,
} from '@holdfast/audit';
import { type Caller, newId } from '@holdfast/kernel';
import { MessagesModule } from '@holdfast/cqrs';
import { AddMember, IdentityModule, type MemberView, RemoveMember } from '@holdfast/identity';
import {
  announcement,
  callerOf,
  eventType,
  Grants,
  listSubjectStores,
  personal,
  TenantDatabase,
} from '@holdfast/tenancy';
import { CreateTenant, ExportTask, RequestExport, TenantsModule } from '@holdfast/tenants';
import { TaskRunner } from '@holdfast/tasks';
import { TestCluster, TestVault } from '@holdfast/testing';
import { KeyDirectory, Vault } from '@holdfast/vault';
import type { INestApplicationContext } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { Test } from '@nestjs/testing';
import { z } from 'zod';

const ISSUER = {
  issuer: 'https://id.example.com',
  audience: ['holdfast'],
  algorithms: ['ES256'],
  clockToleranceSeconds: 5,
  maxAgeSeconds: 86_400,
  requireTyp: true,
} as const;

/** What is said of a person in an event and in no row. */
const described = eventType('test.member.described', {
  version: 1,
  description: 'Somebody was described.',
  schema: z.object({ note: personal(z.string(), { subject: 'stream' }) }),
  example: { note: { commitment: 'Zk3q0Yb9n1cW2dT6hS8mXvP4jL7oA5rE_uIyGfKtB-Q' } },
});

/** A directory of keys that fails once, after it has destroyed: as if the process had died before its transaction committed. */
class DyingDirectory extends KeyDirectory {
  dies = true;

  override async destroyOthers(tenantId: string, keptId: string): Promise<void> {
    await super.destroyOthers(tenantId, keptId);
    if (!this.dies) return;
    this.dies = false;
    throw new Error('killed after destroying');
  }
}

/** What is erased is nowhere, whenever whoever erases dies, and in no copy of the database that was made before. */
describe('Erasing a person', () => {
  let cluster: TestCluster;
  let keys: TestVault;
  let tenants: TenantDatabase;
  let grants: Grants;
  let app: INestApplicationContext;
  let caller: Caller;

  beforeAll(async () => {
    cluster = await TestCluster.create();
    keys = new TestVault();
    tenants = new TenantDatabase(cluster.as('holdfast_app', 6), keys.open());
    grants = new Grants(cluster.as('holdfast_auth'));
    const imports = [
      MessagesModule.forRoot(tenants),
      IdentityModule.forRoot(
        grants,
        [],
        [{ ...ISSUER, audience: [...ISSUER.audience], algorithms: [...ISSUER.algorithms] }],
      ),
      TenantsModule.forRoot(cluster.as('holdfast_ops')),
      AuditModule,
    ];
    app = await (await Test.createTestingModule({ imports }).compile()).init();
  }, 120_000);
  afterAll(async () => {
    await app.close();
    grants.close();
    await cluster.drop();
    keys.remove();
  });
  beforeEach(async () => {
    const grant = await grants.forSystem('operator', newId(), '', 'operator:ann');
    caller = callerOf(grant, { requestId: newId() });
    const slug = `t${caller.tenantId.slice(-12)}`;
    await run(new CreateTenant(caller, { slug, name: slug }));
  });

  function run<Answer>(
    command: { readonly caller: Caller } & import('@nestjs/cqrs').Command<Answer>,
  ): Promise<Answer> {
    return app.get(CommandBus).execute(command);
  }

  /** Somebody who was a member, with something that only an event says of them. */
  async function formerMember(
    email: string,
    note: string,
    key = newId(),
  ): Promise<MemberView & { readonly noteId: string }> {
    const input = {
      issuer: ISSUER.issuer,
      subject: `sub ${email}`,
      role: 'member',
      email,
      displayName: `Name of ${email}`,
    };
    const idempotency = { key, replayed: false };
    const member = await run(new AddMember(caller, input, idempotency));
    const event = announcement(described, { id: member.id, version: 1n }, { note });
    await tenants.transaction(caller, (tx) => tx.announce(event));
    await run(new RemoveMember(caller, { id: member.id, version: member.version }));
    return { ...member, noteId: event.id };
  }

  function runner(vault: Vault, onStep?: (step: string) => Promise<void>): TaskRunner {
    return new TaskRunner({
      tenants: new TenantDatabase(cluster.as('holdfast_app', 3), vault),
      relay: cluster.as('holdfast_relay', 2),
      grants,
      kinds: [new ExportTask(), new SubjectErasureTask({ vault, eraseElsewhere, ...(onStep && { onStep }) })],
      report: () => {},
    });
  }

  /** What stores outside of PostgreSQL were told to erase. */
  const elsewhere: string[] = [];
  const eraseElsewhere = async (tenantId: string, subjects: readonly string[]): Promise<void> =>
    void elsewhere.push(...subjects.map((subject) => `${tenantId} ${subject}`));

  /** Works on tasks until the subject is erased. */
  async function settle(subject: string, by: TaskRunner): Promise<void> {
    for (let look = 0; look < 300; look += 1) {
      await by.runDue();
      const [row] = await cluster.admin<{ status: string }>(
        'select status from audit.subject_erasures where tenant_id = $1 and subject = $2',
        [caller.tenantId, subject],
      );
      if (row?.status === 'erased') return;
      await sleep(50);
    }
    throw new Error('it is not erased');
  }

  function readNotes(...eventIds: string[]): Promise<unknown[]> {
    return tenants.reading(caller, async (tx) =>
      (await keys.open().read(tx, eventIds)).map(({ opening }) => opening?.value),
    );
  }

  /** Tables with a row that has the text, of all schemas. */
  async function tablesWith(text: string): Promise<string[]> {
    const tables = await cluster.admin<{ name: string }>(
      `select oid::regclass::text as name from pg_class
       where relkind in ('r', 'p') and relnamespace::regnamespace::text !~ '^(pg_|information_schema)'`,
    );
    const found: string[] = [];
    for (const { name } of tables) {
      const rows = await cluster.admin(`select from ${name} t where strpos(t::text, $1) > 0 limit 1`, [text]);
      if (rows.length > 0) found.push(name);
    }
    return found;
  }

  function eventsOf(subject: string): Promise<{ type: string; data: object }[]> {
    return cluster.admin(
      `select type, data from events.log where stream_type = 'audit.subject' and stream_id = $1 order by stream_version`,
      [subject],
    );
  }

  it('reaches every store there is', () => {
    expect(
      listSubjectStores()
        .map(({ name }) => name)
        .toSorted((a, b) => (a < b ? -1 : 1)),
    ).toEqual(['audit.requests', 'idempotency.answers', 'identity.members', 'tenants.exports']);
  });

  it('leaves no value in any table, and what only events said in no file', async () => {
    const [email, note, key] = [`${newId()}@example.com`, `note ${newId()}`, newId()];
    const ann = await formerMember(email, note, key);
    const bob = await formerMember(`${newId()}@example.com`, 'of Bob');
    const worker = runner(keys.open());
    await run(new RequestExport(caller, {}));
    while ((await worker.runDue()) > 0);
    expect(await cluster.admin('select from tenants.export_chunks')).not.toEqual([]);
    expect(await tablesWith(email)).toEqual(
      expect.arrayContaining(['identity.members', 'idempotency.answers']),
    );
    expect(await readNotes(ann.noteId)).toEqual([note]);
    const log = await cluster.admin(
      `select * from events.log where tenant_id = $1 and stream_id = $2 and stream_type <> 'audit.subject' order by seq`,
      [caller.tenantId, ann.id],
    );

    expect(await run(new EraseSubject(caller, { id: ann.id }))).toMatchObject({ status: 'erasing' });
    await settle(ann.id, worker);

    expect(await tablesWith(email)).toEqual([]);
    expect(await tablesWith(`Name of ${email}`)).toEqual([]);
    expect(await cluster.admin('select from tenants.export_chunks')).toEqual([]);
    expect(await readNotes(ann.noteId, bob.noteId)).toEqual(['of Bob']);
    // In the clear it has never been: not in the WAL and not in what deleted rows leave behind.
    expect(await cluster.filesWith(note)).toEqual([]);
    // The log says what it said, to the letter.
    const after = await cluster.admin(
      `select * from events.log where tenant_id = $1 and stream_id = $2 and stream_type <> 'audit.subject' order by seq`,
      [caller.tenantId, ann.id],
    );
    expect(after).toEqual(log);
    expect(await eventsOf(ann.id)).toMatchObject([
      { type: 'audit.subject.erasure_requested', data: { relatedIds: [] } },
      { type: 'audit.subject.erased', data: { count: 3 } },
    ]);
    // A request that made her is not done again, and its stored answer is gone.
    const again = run(
      new AddMember(
        caller,
        {
          issuer: ISSUER.issuer,
          subject: `sub ${email}`,
          role: 'member',
          email,
          displayName: `Name of ${email}`,
        },
        { key, replayed: false },
      ),
    );
    await expect(again).rejects.toMatchObject({ code: 'resource.not_found' });
  }, 60_000);

  it.each(['begin', 'keys', 'values', 'rewrap', 'destroy', 'sweep', 'elsewhere', 'finish'])(
    'goes on where a process was killed before the step %s',
    async (killedAt) => {
      const ann = await formerMember(`${newId()}@example.com`, 'of Ann');
      const bob = await formerMember(`${newId()}@example.com`, 'of Bob');
      await run(new EraseSubject(caller, { id: ann.id }));
      let killed = 0;
      const dying = runner(keys.open(), (step) => {
        if (step !== killedAt || killed > 0) return Promise.resolve();
        killed += 1;
        return Promise.reject(new Error('killed'));
      });
      await dying.runDue();
      expect(killed).toBe(1);
      await settle(ann.id, runner(keys.open()));
      expect(await readNotes(ann.noteId, bob.noteId)).toEqual(['of Bob']);
      expect([...new Set(elsewhere)].filter((told) => told.startsWith(caller.tenantId))).toEqual([
        `${caller.tenantId} ${ann.id}`,
      ]);
      expect((await eventsOf(ann.id)).map(({ type }) => type)).toEqual([
        'audit.subject.erasure_requested',
        'audit.subject.erased',
      ]);
      expect(readdirSync(join(keys.directory, caller.tenantId))).toHaveLength(1);
    },
    60_000,
  );

  it('goes on where a process was killed between destroying the key and its commit', async () => {
    const ann = await formerMember(`${newId()}@example.com`, 'of Ann');
    const bob = await formerMember(`${newId()}@example.com`, 'of Bob');
    await run(new EraseSubject(caller, { id: ann.id }));
    const directory = new DyingDirectory(keys.directory, keys.keys);
    await settle(ann.id, runner(new Vault(directory)));
    expect(directory.dies).toBe(false);
    expect(await readNotes(ann.noteId, bob.noteId)).toEqual(['of Bob']);
  }, 60_000);

  it('of two at once leaves the values of everybody else', async () => {
    const people = [];
    for (const name of ['Ann', 'Bob', 'Eve'])
      people.push(await formerMember(`${newId()}@example.com`, `of ${name}`));
    const [ann, bob] = people;
    for (const each of [ann, bob]) await run(new EraseSubject(caller, { id: each?.id ?? '' }));
    const worker = runner(keys.open());
    await Promise.all([settle(ann?.id ?? '', worker), settle(bob?.id ?? '', worker)]);
    expect(await readNotes(...people.map(({ noteId }) => noteId))).toEqual(['of Eve']);
  }, 60_000);

  it('is refused while a legal hold keeps the person, or the tenant', async () => {
    const ann = await formerMember(`${newId()}@example.com`, 'of Ann');
    for (const subjectId of [ann.id, null]) {
      const hold = await run(new PlaceLegalHold(caller, { subjectId, reason: 'a case' }));
      await expect(run(new EraseSubject(caller, { id: ann.id }))).rejects.toMatchObject({
        code: 'audit.legal_hold',
      });
      await run(new LiftLegalHold(caller, { id: hold.id }));
      await expect(run(new LiftLegalHold(caller, { id: hold.id }))).rejects.toMatchObject({
        code: 'audit.legal_hold_lifted',
      });
    }
    expect(await readNotes(ann.noteId)).toEqual(['of Ann']);
    const bob = await formerMember(`${newId()}@example.com`, 'of Bob');
    await run(new PlaceLegalHold(caller, { subjectId: bob.id, reason: 'about somebody else' }));
    await run(new EraseSubject(caller, { id: ann.id }));
    const late = run(new PlaceLegalHold(caller, { subjectId: ann.id, reason: 'too late' }));
    await expect(late).rejects.toMatchObject({ code: 'audit.erasure_under_way' });
    const reasons = await cluster.admin(
      `select from events.log where tenant_id = $1 and data::text like '%a case%'`,
      [caller.tenantId],
    );
    expect(reasons).toEqual([]);
  }, 60_000);

  it('is refused for who is still a member, and for whom nothing is held', async () => {
    const input = { issuer: ISSUER.issuer, subject: newId(), role: 'member', email: 'ann@example.com' };
    const member = await run(new AddMember(caller, input));
    await expect(run(new EraseSubject(caller, { id: member.id }))).rejects.toMatchObject({
      code: 'audit.subject_in_use',
    });
    await expect(run(new EraseSubject(caller, { id: newId() }))).rejects.toMatchObject({
      code: 'resource.not_found',
    });
  });

  it('is put off, and says so, where the worker lacks the keys', async () => {
    const ann = await formerMember(`${newId()}@example.com`, 'of Ann');
    await run(new EraseSubject(caller, { id: ann.id }));
    const without = new TaskRunner({
      tenants: new TenantDatabase(cluster.as('holdfast_app', 2)),
      relay: cluster.as('holdfast_relay', 2),
      grants,
      kinds: [new SubjectErasureTask({ vault: undefined })],
      report: () => {},
    });
    await without.runDue();
    const [task] = await cluster.admin<{ last_error: string }>(
      'select last_error from tenants.tasks where id = $1',
      [ann.id],
    );
    expect(task?.last_error).toBe('VaultMissing');
    expect(await readNotes(ann.noteId)).toEqual(['of Ann']);
    await settle(ann.id, runner(keys.open()));
    expect(await readNotes(ann.noteId)).toEqual([]);
  }, 60_000);

  // Last: it puts the database back.
  it('holds for a backup that was made before', async () => {
    const ann = await formerMember(`${newId()}@example.com`, 'of Ann');
    await cluster.restart(() => cluster.copy());
    expect(await readNotes(ann.noteId)).toEqual(['of Ann']);
    await run(new EraseSubject(caller, { id: ann.id }));
    await settle(ann.id, runner(keys.open()));
    await cluster.restart(() => cluster.putBack());
    const rows = await cluster.admin<{ wrapped: Buffer | null }>(
      `select k.wrapped from audit.disclosures d join audit.subject_keys k on k.tenant_id = d.tenant_id and k.subject = d.subject
       where d.event_id = $1`,
      [ann.noteId],
    );
    expect(rows).toEqual([{ wrapped: expect.any(Buffer) }]);
    expect(await readNotes(ann.noteId)).toEqual([]);
  }, 120_000);
});
