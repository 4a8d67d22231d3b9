import { type Caller, newId } from '@holdfast/kernel';
import { ChangeNotRecorded, statement } from '@holdfast/database';
import { fixtureMade, rowsRead, TestDatabase } from '@holdfast/testing';
import { Client } from 'pg';
import { z } from 'zod';
import { announcement } from './announcement';
import { eventType } from './event-types';
import type { TenantDatabase } from './tenant-database';
import type { TenantTx } from './tenant-tx';

const painted = eventType('test.wall.painted', {
  version: 1,
  description: 'Painted.',
  schema: z.object({}),
  example: {},
});
const INSERT = statement(
  'test.insert_role',
  `insert into identity.roles (tenant_id, id, name, permissions) values ($1, $2::uuid, $2::uuid::text, '{}')`,
);
const INSERT_MANY = statement(
  'test.insert_roles',
  `insert into identity.roles (tenant_id, id, name, permissions)
   select $1, gen_random_uuid(), 'role ' || n, '{}' from generate_series(1, $2::int) n`,
);
const RENAME = statement(
  'test.rename_role',
  'update identity.roles set name = name || $3 where tenant_id = $1 and id = $2',
);
const DELETE = statement('test.delete_role', 'delete from identity.roles where tenant_id = $1 and id = $2');
const MARK_ACCOUNT = statement(
  'test.move_money',
  'update ledger.accounts set posted_debits = posted_debits + $3::bigint where tenant_id = $1 and id = $2',
);
const OPEN = statement(
  'test.open_account',
  `insert into ledger.accounts (tenant_id, id, code, asset, normal_balance, limit_rule)
   values ($1, $2::uuid, $2::uuid::text, 'EUR/2', 'debit', 'none')`,
);
const REFUSED = statement(
  'test.insert_refused_transfer',
  `insert into ledger.transfers (tenant_id, id, kind, amount, metadata, refusal, actor)
   values ($1, $2, 'transfer', 1, '{}', 'ledger.exceeds_credits', 'test')`,
);
const STORE_CREDENTIAL = statement(
  'test.store_credential',
  `select auth.store_credential($1::uuid, sha256(convert_to($1::uuid::text, 'utf8')), '{audit:read}', null)`,
);

/** Promise 4: state and event commit together or not at all, whatever a command forgets. */
describe('A change of a recorded table', () => {
  let database: TestDatabase;
  let tenants: TenantDatabase;
  let caller: Caller;

  beforeAll(async () => {
    database = await TestDatabase.create();
    tenants = database.tenants(1);
  });
  beforeEach(async () => void (caller = await database.caller()));
  afterAll(() => database.drop());

  const roles = (): Promise<{ id: string }[]> =>
    database.admin('select id from identity.roles where tenant_id = $1', [caller.tenantId]);
  const change = (work: (tx: TenantTx) => Promise<unknown>): Promise<unknown> =>
    tenants.transaction(caller, work);
  const role = async (): Promise<string> => {
    const id = newId();
    await change(async (tx) => {
      await tx.announce(fixtureMade());
      await tx.execute(INSERT, [tx.tenantId, id]);
    });
    return id;
  };

  it('commits with its event, whichever comes first', async () => {
    await role();
    await change(async (tx) => {
      await tx.execute(INSERT, [tx.tenantId, newId()]);
      await tx.announce(fixtureMade());
    });
    await change(async (tx) => {
      await tx.execute(INSERT_MANY, [tx.tenantId, 200]);
      await tx.announce(fixtureMade());
    });
    expect(await roles()).toHaveLength(202);
  });

  it('is refused at the commit without one, and the table is named', async () => {
    const id = await role();
    const before = await roles();
    for (const [name, work] of [
      ['insert', (tx) => tx.execute(INSERT, [tx.tenantId, newId()])],
      ['insert', (tx) => tx.execute(INSERT_MANY, [tx.tenantId, 3])],
      ['update', (tx) => tx.execute(RENAME, [tx.tenantId, id, 'x'])],
      ['delete', (tx) => tx.execute(DELETE, [tx.tenantId, id])],
    ] as [string, (tx: TenantTx) => Promise<unknown>][]) {
      const refused = await change(work).catch((error: unknown) => error);
      expect(refused).toBeInstanceOf(ChangeNotRecorded);
      expect(refused).toMatchObject({
        message: `${name} of identity.roles was not announced`,
        cause: { code: 'HF030' },
      });
    }
    expect(await roles()).toEqual(before);
  });

  it('is asked for in each transaction of a session, whatever the one before it did', async () => {
    await role();
    await expect(change((tx) => tx.execute(INSERT, [tx.tenantId, newId()]))).rejects.toThrow(
      ChangeNotRecorded,
    );
    await role();
    await expect(change((tx) => tx.execute(INSERT, [tx.tenantId, newId()]))).rejects.toThrow(
      ChangeNotRecorded,
    );
  });

  it('needs no event where nothing was changed', async () => {
    expect(await change((tx) => tx.execute(RENAME, [tx.tenantId, newId(), 'x']))).toBe(0);
  });

  it('is asked for of a table that is written in batches, once a statement has changed rows of it', async () => {
    const account = newId();
    await expect(change((tx) => tx.execute(OPEN, [tx.tenantId, account]))).rejects.toThrow(
      'insert of ledger.accounts was not announced',
    );
    await change(async (tx) => {
      await tx.execute(OPEN, [tx.tenantId, account]);
      await tx.announce(fixtureMade());
    });
    expect(await change((tx) => tx.execute(MARK_ACCOUNT, [tx.tenantId, newId(), 1]))).toBe(0);
    await expect(change((tx) => tx.execute(MARK_ACCOUNT, [tx.tenantId, account, 1]))).rejects.toThrow(
      'update of ledger.accounts was not announced',
    );
    // A refusal moves nothing.
    await change((tx) => tx.execute(REFUSED, [tx.tenantId, newId()]));
    expect(await database.admin('select tenant from tenancy.changes')).toEqual([]);
  });

  it('is asked for of what opens the doors, which functions of the owner write', async () => {
    const id = newId();
    await expect(change((tx) => tx.execute(STORE_CREDENTIAL, [id]))).rejects.toThrow(
      'insert of auth.credentials was not announced',
    );
    expect(await database.admin('select from auth.credentials where api_key_id = $1', [id])).toEqual([]);
  });

  it('cannot be hidden by a call of what the triggers call', async () => {
    const callable = await database.admin(
      `select f.oid::regprocedure::text as name from pg_proc f
       where f.pronamespace = 'tenancy'::regnamespace
         and f.proname ~ '^(refuse_|require_event|note_|record)' and has_function_privilege('holdfast_app', f.oid, 'execute')`,
    );
    expect(callable).toEqual([]);
    expect(
      await database.admin(
        `select r.rolname from pg_roles r where r.rolname like 'holdfast\\_%' and r.rolname <> 'holdfast_owner'
           and has_table_privilege(r.oid, 'tenancy.changes', 'select, insert, update, delete')`,
      ),
    ).toEqual([]);
  });

  it('is not hidden by an event that was announced and rolled back to a savepoint', async () => {
    const refused = change((tx) =>
      withSavepoint(tx, async () => {
        await tx.announce(fixtureMade());
        await tx.execute(INSERT, [tx.tenantId, newId()]);
      }).then(() => tx.execute(INSERT, [tx.tenantId, newId()])),
    );
    await expect(refused).rejects.toThrow(ChangeNotRecorded);
  });

  it('needs no event where it was rolled back to a savepoint, and is not hidden by one that was', async () => {
    await change((tx) => withSavepoint(tx, () => tx.execute(INSERT, [tx.tenantId, newId()])));
    expect(await roles()).toEqual([]);
    const refused = change(async (tx) => {
      await withSavepoint(tx, () => tx.execute(INSERT, [tx.tenantId, newId()]));
      await tx.execute(INSERT, [tx.tenantId, newId()]);
    });
    await expect(refused).rejects.toThrow(ChangeNotRecorded);
  });

  it('needs an event of its own tenant, in a transaction that enters two', async () => {
    const other = await database.caller();
    const client = new Client({ connectionString: database.url('holdfast_app') });
    await client.connect();
    try {
      const insert = `insert into identity.roles (tenant_id, id, name, permissions) values ($1, gen_random_uuid(), 'r', '{}')`;
      await client.query('begin');
      await client.query('select tenancy.enter($1)', [caller.grant]);
      await client.query(insert, [caller.tenantId]);
      await client.query(APPEND, [newId()]);
      await client.query('select tenancy.enter($1)', [other.grant]);
      await client.query(insert, [other.tenantId]);
      await expect(client.query('commit')).rejects.toMatchObject({ code: 'HF030' });
    } finally {
      await client.end();
    }
  });

  it('is looked for by the transaction, however long the log has become in the meantime', async () => {
    const client = new Client({ connectionString: database.url('holdfast_app') });
    await client.connect();
    const rowsOfCommit = async (): Promise<number> => {
      await client.query('begin');
      await client.query('select tenancy.enter($1)', [caller.grant]);
      const insert = `insert into identity.roles (tenant_id, id, name, permissions) values ($1, $2, $2::uuid::text, '{}')`;
      await client.query(insert, [caller.tenantId, newId()]);
      await client.query(APPEND, [newId()]);
      await client.query('set constraints all immediate');
      const { rows } = await client.query<{ count: number }>(
        `select (coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0))::int as count
         from pg_stat_xact_user_tables where relid = 'events.log'::regclass`,
      );
      await client.query('commit');
      return rows[0]?.count ?? Number.NaN;
    };
    try {
      expect(await rowsOfCommit()).toBeLessThan(5);
      await fillLog(database, caller.tenantId);
      expect(await rowsOfCommit()).toBeLessThan(5);
    } finally {
      await client.end();
    }
  });

  it('is made past it by the functions that read an export in and that erase, and by no others', async () => {
    const writers = await database.admin<{ name: string }>(
      `select distinct f.oid::regproc::text as name
       from pg_proc f
       join pg_roles r on r.oid = f.proowner and r.rolname = 'holdfast_owner'
       join pg_trigger t on t.tgname like 'recorded\\_%' and pg_get_triggerdef(t.oid) ~ 'CURRENT_USER'
       where f.prosecdef
         and (f.prosrc ~ ('(insert into|update|delete from) ' || t.tgrelid::regclass) or f.prosrc ~ '(insert into|delete from) %1\\$s')
       order by 1`,
    );
    expect(writers.map(({ name }) => name)).toEqual([
      'tenancy.begin_import',
      'tenancy.erase_page',
      'tenancy.finish_import',
      'tenancy.import_page',
    ]);
  });
});

describe('The versions of a stream', () => {
  let database: TestDatabase;
  let tenants: TenantDatabase;
  let caller: Caller;
  beforeAll(async () => {
    database = await TestDatabase.create();
    tenants = database.tenants(1);
    caller = await database.caller();
  });
  afterAll(() => database.drop());

  const announce = (id: string, ...versions: bigint[]): Promise<void> =>
    tenants.transaction(caller, (tx) =>
      tx.announce(...versions.map((version) => announcement(painted, { id, version }, {}))),
    );

  it('follow each other, in one transaction and in several', async () => {
    const id = newId();
    await announce(id, 1n, 2n);
    await announce(id, 3n);
    await announce(id, 5n, 4n);
  });

  it('begin at 1 and leave none out', async () => {
    const id = newId();
    await expect(announce(id, 2n)).rejects.toMatchObject({ cause: { code: 'HF031' } });
    await announce(id, 1n);
    await expect(announce(id, 3n)).rejects.toThrow(ChangeNotRecorded);
    await expect(announce(id, 2n, 4n)).rejects.toThrow(ChangeNotRecorded);
    await announce(id, 2n);
  });

  it('are looked up by the stream, however long the log has become in the meantime', async () => {
    const id = newId();
    const readFor = (version: bigint): Promise<number> =>
      tenants.transaction(caller, async (tx) => {
        await tx.announce(announcement(painted, { id, version }, {}));
        return rowsRead(tx, 'events.log');
      });
    await announce(id, 1n, 2n);
    const before = await readFor(3n); // What the session has read until now counts as well.
    await fillLog(database, caller.tenantId);
    expect(await readFor(4n)).toBeLessThan(before + 5);
  });

  it('are a conflict where another writer was first', async () => {
    const id = newId();
    await announce(id, 1n, 2n);
    await expect(announce(id, 2n)).rejects.toMatchObject({ code: 'resource.conflict' });
  });
});

/** Makes the log of a tenant long, behind the back of sessions that have planned for a short one. */
async function fillLog(database: TestDatabase, tenantId: string): Promise<void> {
  await database.admin(
    `insert into events.log (xid, tenant_id, id, stream_type, stream_id, stream_version, type, schema_version, actor,
       correlation_id, occurred_at, data)
     select pg_current_xact_id(), $1, uuidv7(), 'test.filler', uuidv7(), 1, 'test.filler.added', 1, 'nobody', 'none', now(), '{}'
     from generate_series(1, 5000)`,
    [tenantId],
  );
}

const APPEND = `select events.append(array[$1::uuid], array['test.fixture.made'], array[1], array['test.fixture'], array[$1::uuid],
  array[1::bigint], array['{}'::jsonb], array['none'], array[null::text], array[null::text])`;

/** Does work and undoes it, as a nested transaction that fails. */
async function withSavepoint(tx: TenantTx, work: () => Promise<unknown>): Promise<void> {
  const undone = new Error('undone');
  await tx
    .savepoint(async () => {
      await work();
      throw undone;
    })
    .catch((error: unknown) => {
      if (error !== undone) throw error;
    });
}
