import { type Caller, newId } from '@holdfast/kernel';
import type { TenantDatabase } from '@holdfast/tenancy';
import type { TestDatabase } from '@holdfast/testing';
import type { LogTrust } from '../src/verification/log-progress';
import { verifyLog, type VerifiedLog } from '../src/verification/verify-by-hand';
import { runVerifier, type Verdict, writeBundle } from './bundle-check';
import { HandSealer } from './hand-sealer';

/** A sealed log of a tenant, which the test tampers with as a superuser, and both verifiers. */
export class TamperedLog {
  /** Events in the order of their leaves: the one at 0 has leaf 1. */
  readonly eventIds: string[] = [];
  private constructor(
    readonly database: TestDatabase,
    readonly tenants: TenantDatabase,
    readonly sealer: HandSealer,
    readonly caller: Caller,
  ) {}

  /** A log of so many events in streams of three, sealed and signed. */
  static async create(database: TestDatabase, sealer: HandSealer, count = 300): Promise<TamperedLog> {
    const log = new TamperedLog(database, database.tenants(2), sealer, await database.caller());
    await log.announce(count);
    await sealer.seal(log.tenantId);
    return log;
  }

  get tenantId(): string {
    return this.caller.tenantId;
  }

  async announce(count: number, perStream = 3): Promise<void> {
    const streams = Array.from({ length: Math.ceil(count / perStream) }, () => newId());
    const events = Array.from({ length: count }, (_, at) => ({
      id: newId(),
      type: 'test.fence.painted',
      schemaVersion: 1,
      streamType: 'test.fence',
      streamId: streams[Math.floor(at / perStream)] ?? newId(),
      streamVersion: BigInt((at % perStream) + 1),
      payload: '{"coats": 1}',
    }));
    await this.tenants.transaction(this.caller, (tx) => tx.announce(...events));
    this.eventIds.push(...events.map(({ id }) => id));
  }

  /** The event of a leaf. */
  eventAt(index: number): string {
    return this.eventIds[index - 1] ?? '';
  }

  /** Changes the row of a leaf, or whatever else, past all triggers. `$1` is the tenant, `$2` the event of the leaf. */
  async tamper(sql: string, index = 1): Promise<void> {
    const text = sql.replaceAll('$1', `'${this.tenantId}'`).replaceAll('$2', `'${this.eventAt(index)}'`);
    await this.database.admin(`set session_replication_role = replica; ${text}`);
  }

  bundle(): Promise<Buffer> {
    return writeBundle(this.tenants, this.caller, { log: this.sealer.logName });
  }

  /** What the single-file verifier says of an export, with further files and arguments. */
  async verifyExport(files: Record<string, Buffer | string> = {}, ...args: string[]): Promise<Verdict> {
    const all = { ...files, 'log.ndjson': await this.bundle() };
    return runVerifier(all, ['log.ndjson', '--key', this.sealer.verifierKey(this.tenantId), ...args]);
  }

  /** What the verification of the database says. */
  verify(trust: LogTrust = {}): Promise<VerifiedLog> {
    return verifyLog(this.tenants, this.caller, trust);
  }
}
