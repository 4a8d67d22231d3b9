import type { Caller } from '@holdfast/kernel';
import { type Connection, Database, type Statement } from '@holdfast/database';
import type { Vault } from '@holdfast/vault';
import { TenantTx } from './tenant-tx';

/** The pool that runs business SQL. It can use a grant and never mint one. */
export class TenantDatabase {
  constructor(
    readonly database: Database,
    /** Keeps personal values of events; without it they are kept nowhere. */
    private readonly vault?: Vault,
  ) {}

  /** Runs work in one transaction of the caller's tenant and commits it; see Database.transaction for retries, errors and what the caller's deadline does. */
  transaction<T>(caller: Caller, work: (tx: TenantTx) => Promise<T>): Promise<T> {
    return this.database.transaction(
      (connection) => this.open(connection, caller, 'read write'),
      work,
      caller.deadline,
    );
  }

  /** The same for work that only reads; PostgreSQL refuses it to write. */
  reading<T>(caller: Caller, work: (tx: TenantTx) => Promise<T>): Promise<T> {
    return this.database.transaction(
      (connection) => this.open(connection, caller, 'read only'),
      work,
      caller.deadline,
    );
  }

  /**
   * The same where all that is read has to fit together, however long it takes, the caller's deadline notwithstanding: every statement
   * sees one snapshot.
   */
  inOneSnapshot<T>(caller: Caller, work: (tx: TenantTx) => Promise<T>): Promise<T> {
    return this.database.transaction((connection) => this.open(connection, caller, 'one snapshot'), work);
  }

  /** The rows of one statement, in a transaction that crosses the network once: begin, enter, read and commit travel together. */
  rows<Row>(caller: Caller, statement: Statement<Row>, values: readonly unknown[]): Promise<Row[]> {
    return this.database.transaction(
      (connection) => this.open(connection, caller, 'read only'),
      (tx) => tx.last(statement, values),
      caller.deadline,
    );
  }

  private open(connection: Connection, caller: Caller, access: TenantTx['access']): TenantTx {
    return new TenantTx(connection, caller, access, this.vault);
  }
}
