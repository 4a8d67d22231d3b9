import { type Caller, newId } from '@holdfast/kernel';
import { announcement, Grants, type TenantDatabase } from '@holdfast/tenancy';
import { TestDatabase } from '@holdfast/testing';
import type { OpenAccountInput } from '../src/accounts/account';
import { insertAccount } from '../src/accounts/accounts.sql';
import { accountOpened } from '../src/ledger.events';
import { PLAIN, postBatch, type Posting, type PostingResult } from '../src/posting/post-batch.sql';

/** Between no accounts and of nothing, but for what is given: a posting as the API would make it. */
export function plainPosting(caller: Caller, changes: Partial<Posting>): Posting {
  const named = { id: newId(), idGiven: false, idempotencyKey: null };
  const fields = { debitAccountId: null, creditAccountId: null, amount: 0n, metadata: {} };
  return { ...PLAIN, caller, ...named, ...fields, ...changes };
}

/** A ledger without a transport, over a database of a spec file's own whose clock can be moved. */
export class TestLedger {
  private constructor(
    readonly database: TestDatabase,
    readonly tenants: TenantDatabase,
    readonly grants: Grants,
  ) {}

  static async start(connections = 8): Promise<TestLedger> {
    const database = await TestDatabase.create();
    return new TestLedger(
      database,
      database.tenants(connections),
      new Grants(database.as('holdfast_auth', 2)),
    );
  }

  async close(): Promise<void> {
    this.grants.close();
    await this.database.drop();
  }

  /** Lets the clock of the ledger run so many seconds ahead of the machine's, or behind. */
  async moveClock(seconds: number): Promise<void> {
    await this.database.admin(`create or replace function ledger.clock() returns timestamptz
      language sql volatile set search_path = pg_catalog, pg_temp
      as $$ select clock_timestamp() + make_interval(secs => ${seconds}) $$`);
  }

  /** Has the tenant look as it does while an export is read into it. */
  async beginImport({ tenantId }: Caller): Promise<void> {
    await this.database.admin(
      `insert into tenants.tenants (tenant_id, slug, name, import_sha256)
       values ($1::uuid, 'import-' || substr($1::uuid::text, 25), 'imported', repeat('0', 64))`,
      [tenantId],
    );
  }

  async endImport({ tenantId }: Caller): Promise<void> {
    await this.database.admin('update tenants.tenants set imported_at = now() where tenant_id = $1', [
      tenantId,
    ]);
  }

  async open(caller: Caller, account: Partial<OpenAccountInput> = {}): Promise<string> {
    const id = newId();
    const plain = { code: id, asset: 'EUR/2', normalBalance: 'debit', limit: 'none', metadata: {} } as const;
    const fields = { ...plain, ...account };
    const { asset, normalBalance, limit } = fields;
    await this.tenants.transaction(caller, async (tx) => {
      await insertAccount(tx, id, fields);
      await tx.announce(announcement(accountOpened, { id, version: 1n }, { asset, normalBalance, limit }));
    });
    return id;
  }

  /** Posts 100 between the two accounts, or what is asked for instead. */
  async post(
    caller: Caller,
    [debitAccountId, creditAccountId]: readonly [string | null, string | null],
    ...changes: Partial<Posting>[]
  ): Promise<PostingResult[]> {
    const postings = changes.map((change) =>
      plainPosting(caller, { debitAccountId, creditAccountId, amount: 100n, ...change }),
    );
    return this.tenants.transaction(caller, (tx) => postBatch(tx, postings));
  }

  /** Ends a hold or reverses a transfer, and answers the result. */
  async follow(
    caller: Caller,
    kind: 'post' | 'void' | 'expiry' | 'reversal',
    targetId: string,
    amount = 0n,
  ): Promise<string | undefined> {
    const [posted] = await this.post(caller, [null, null], { kind, targetId, amount });
    return posted?.result;
  }
}
