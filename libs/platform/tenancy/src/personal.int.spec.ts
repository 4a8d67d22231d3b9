import { rename } from 'node:fs/promises';
import { type Caller, newId } from '@holdfast/kernel';
import { TestDatabase, TestVault } from '@holdfast/testing';
import { commitmentTo, type KeptValue, type Vault } from '@holdfast/vault';
import { z } from 'zod';
import { announcement } from './announcement';
import { eventType } from './event-types';
import { personal } from './personal';
import type { TenantDatabase } from './tenant-database';

const called = eventType('test.person.called', {
  version: 1,
  description: 'A person was called something.',
  schema: z.object({ name: personal(z.string(), { subject: 'stream' }) }),
  example: { name: { commitment: 'Zk3q0Yb9n1cW2dT6hS8mXvP4jL7oA5rE_uIyGfKtB-Q' } },
});

const visited = eventType('test.visit.announced', {
  version: 1,
  description: 'A person announced a visit.',
  schema: z.object({ personId: z.guid(), name: personal(z.string(), { subject: 'personId' }) }),
  example: {
    personId: '019a0000-0000-7000-8000-000000000001',
    name: { commitment: 'Zk3q0Yb9n1cW2dT6hS8mXvP4jL7oA5rE_uIyGfKtB-Q' },
  },
});

/** What a person is called is kept with its event, for nobody who has the database alone, until the person is erased. */
describe('The personal values of events', () => {
  let database: TestDatabase;
  let keys: TestVault;
  let vault: Vault;
  let tenants: TenantDatabase;
  let caller: Caller;

  beforeAll(async () => {
    database = await TestDatabase.create();
    keys = new TestVault();
  });
  beforeEach(async () => {
    vault = keys.open();
    tenants = database.tenants(5, vault);
    caller = await database.caller();
  });
  afterAll(async () => {
    await database.drop();
    keys.remove();
  });

  /** Announces what somebody is called; answers the event's id. */
  async function call(person: string, name: string, version = 1n, by = tenants): Promise<string> {
    const event = announcement(called, { id: person, version }, { name });
    await by.transaction(caller, (tx) => tx.announce(event));
    return event.id;
  }

  function read(...eventIds: string[]): Promise<KeptValue[]> {
    return tenants.reading(caller, (tx) => keys.open().read(tx, eventIds));
  }

  const valuesOf = (kept: readonly KeptValue[]): string[] =>
    kept.map(({ opening }) => (opening ? String(opening.value) : 'altered')).toSorted();

  /** Everything that an erasure does, as the task does it: each step in a transaction of its own. */
  async function erase(...subjects: string[]): Promise<void> {
    const nextKeyId = newId();
    await database.admin(
      `insert into audit.subject_erasures (tenant_id, subject, related, status, requested_by)
       select $1, s.subject, '{}', 'erasing', 'system:test' from unnest($2::uuid[]) s (subject)`,
      [caller.tenantId, subjects],
    );
    await tenants.transaction(caller, (tx) => vault.erase(tx, subjects, nextKeyId));
    await tenants.transaction(caller, (tx) => vault.deleteValues(tx, subjects, 1_000));
    while ((await tenants.transaction(caller, (tx) => vault.rewrap(tx, 2))) > 0);
    expect(await tenants.transaction(caller, (tx) => vault.destroyOldKeys(tx))).toBe(true);
  }

  async function countOf(table: string): Promise<number> {
    const [row] = await database.admin<{ count: number }>(
      `select count(*)::int as count from ${table} where tenant_id = $1`,
      [caller.tenantId],
    );
    return row?.count ?? 0;
  }

  it('are commitments in the log, and open to what was said', async () => {
    const person = newId();
    const id = await call(person, 'Ann Example');
    const [row] = await database.admin<{ data: { name: object } }>(
      'select data from events.log where id = $1',
      [id],
    );
    const [kept] = await read(id);
    expect(kept).toMatchObject({ eventId: id, path: 'name', subject: person });
    expect(kept?.opening?.value).toBe('Ann Example');
    expect(kept?.opening && commitmentTo(kept.opening)).toEqual(row?.data.name);
    const sealed = await database.admin<{ sealed: Buffer }>(
      'select sealed from audit.disclosures where event_id = $1',
      [id],
    );
    expect(sealed[0]?.sealed.includes('Ann Example')).toBe(false);
  });

  it('are there when their event is, and not otherwise', async () => {
    const event = announcement(called, { id: newId(), version: 1n }, { name: 'Ann' });
    const failing = tenants.transaction(caller, async (tx) => {
      await tx.announce(event);
      throw new Error('changed my mind');
    });
    await expect(failing).rejects.toThrow('changed my mind');
    expect(await countOf('audit.disclosures')).toBe(0);
  });

  it('are kept once for each subject that many writers name at once', async () => {
    const people = [newId(), newId()];
    const visit = async (personId: string, name: string): Promise<string> => {
      const event = announcement(visited, { id: newId(), version: 1n }, { personId, name });
      await tenants.transaction(caller, (tx) => tx.announce(event));
      return event.id;
    };
    const ids = await Promise.all(Array.from({ length: 12 }, (_, n) => visit(people[n % 2]!, `name ${n}`)));
    expect(valuesOf(await read(...ids))).toEqual(ids.map((_, n) => `name ${n}`).toSorted());
    expect(await countOf('audit.subject_keys')).toBe(2);
  });

  it('do not open where they were moved to', async () => {
    const [one, other] = [await call(newId(), 'Ann'), await call(newId(), 'Bob')];
    await database.admin(
      `update audit.disclosures set sealed = (select sealed from audit.disclosures where event_id = $1) where event_id = $2`,
      [one, other],
    );
    expect(valuesOf(await read(one, other))).toEqual(expect.arrayContaining(['Ann', 'altered']));
  });

  it('are gone once their subject is erased, and those of others are not', async () => {
    const [ann, bob, eve] = [newId(), newId(), newId()];
    const ids = [await call(ann, 'Ann'), await call(bob, 'Bob'), await call(eve, 'Eve')];
    await erase(ann);
    expect(valuesOf(await read(...ids))).toEqual(['Bob', 'Eve']);
    // An event that still names her brings nothing back.
    const later = await call(ann, 'Ann again', 2n);
    expect(await read(later)).toEqual([]);
    await erase(bob);
    expect(valuesOf(await read(...ids, await call(eve, 'Eve again', 2n)))).toEqual(
      expect.arrayContaining(['Eve', 'Eve again']),
    );
  });

  it('cannot be read from a copy of the tables that was made before', async () => {
    const [ann, bob] = [newId(), newId()];
    const ids = [await call(ann, 'Ann'), await call(bob, 'Bob')];
    const tables = ['audit.vaults', 'audit.subject_keys', 'audit.disclosures'];
    for (const table of tables)
      await database.admin(`create table if not exists ${table}_copy as table ${table}; delete from ${table}_copy;
        insert into ${table}_copy table ${table}`);
    expect(valuesOf(await read(...ids))).toHaveLength(2);
    await erase(ann);
    for (const table of tables)
      await database.admin(`delete from ${table}; insert into ${table} table ${table}_copy`);
    expect(await read(...ids)).toEqual([]);
  });

  it('are under the key that there will be, whoever still remembers the one before', async () => {
    const [ann, bob] = [newId(), newId()];
    const elsewhere = database.tenants(2, keys.open());
    const first = await call(bob, 'Bob', 1n, elsewhere);
    await call(ann, 'Ann');
    await erase(ann);
    const second = await call(bob, 'Bob again', 2n, elsewhere);
    expect(valuesOf(await read(first, second))).toEqual(['Bob', 'Bob again']);
  });

  it('keep an erasure waiting until their transaction ends', async () => {
    const [ann, bob] = [newId(), newId()];
    await call(ann, 'Ann');
    const event = announcement(called, { id: bob, version: 1n }, { name: 'Bob' });
    const order: string[] = [];
    let erasing: Promise<void> | undefined;
    await tenants.transaction(caller, async (tx) => {
      await tx.announce(event);
      erasing = erase(ann).then(() => void order.push('erased'));
      await waitingForLock();
      order.push('written');
    });
    await erasing;
    expect(order).toEqual(['written', 'erased']);
    expect(valuesOf(await read(event.id))).toEqual(['Bob']);
  });

  async function waitingForLock(): Promise<void> {
    for (let look = 0; look < 500; look += 1) {
      const waiting = await database.admin(
        `select from pg_stat_activity where datname = $1 and wait_event_type = 'Lock'`,
        [database.name],
      );
      if (waiting.length > 0) return;
    }
    throw new Error('nobody waits');
  }

  it('refuse to be written or read while the keys are away, and nothing is changed', async () => {
    const person = newId();
    const id = await call(person, 'Ann');
    await rename(keys.directory, `${keys.directory}-away`);
    try {
      const away = database.tenants(1, keys.open());
      await expect(call(person, 'Ann again', 2n, away)).rejects.toMatchObject({ code: 'vault.unavailable' });
      await expect(read(id)).rejects.toMatchObject({ code: 'vault.unavailable' });
    } finally {
      await rename(`${keys.directory}-away`, keys.directory);
    }
    expect(await countOf('events.log')).toBe(1);
    expect(valuesOf(await read(id))).toEqual(['Ann']);
  });

  it('are kept nowhere without a vault', async () => {
    const id = await call(newId(), 'Ann', 1n, database.tenants(1));
    expect(await read(id)).toEqual([]);
    expect(await countOf('events.log')).toBe(1);
  });
});
