import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { developmentUrl, type LoginRole } from '@holdfast/config';
import { Database } from '@holdfast/database';
import { newId, type Caller } from '@holdfast/kernel';
import { callerOf, Grants, TenantDatabase } from '@holdfast/tenancy';
import { prepareDatabase, startClickHouse } from './dev/engines';
import { onScratchServer } from './scratch-server';

/** A migrated PostgreSQL of a bench's own, with a tenant in it, and ClickHouse in process. */
export interface BenchSystem {
  readonly adminUrl: string;
  readonly clickhouseUrl: string;
  readonly urlOf: (role: LoginRole) => string;
  readonly tenants: TenantDatabase;
  readonly relay: Database;
  readonly grants: Grants;
  /** Acts for the tenant with every scope, for five minutes: longer than any bench takes. */
  readonly caller: Caller;
}

/** As many connections as the comparison programs get. */
const CONNECTIONS = 16;

/** A machine that is too slow for the asked rate shows it in the latency, and not by failing. */
const ACQUIRE_TIMEOUT_MS = 30_000;

/**
 * Starts servers, measures, and removes them. PostgreSQL keeps its own durability (fsync on): figures without it would
 * flatter everything that commits often.
 */
export async function withBenchSystem(work: (system: BenchSystem) => Promise<void>): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'holdfast-bench-'));
  const clickhouse = await startClickHouse(directory, undefined);
  try {
    await onScratchServer({}, async (adminUrl) => {
      await prepareDatabase(adminUrl);
      await connected(adminUrl, clickhouse.url, work);
    });
  } finally {
    await clickhouse.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}

async function connected(
  adminUrl: string,
  clickhouseUrl: string,
  work: (system: BenchSystem) => Promise<void>,
): Promise<void> {
  const urlOf = (role: LoginRole): string => developmentUrl(adminUrl, role);
  const open = (role: LoginRole, connectionsMax: number): Database =>
    new Database({
      url: urlOf(role),
      name: 'holdfast bench',
      connectionsMax,
      acquireTimeoutMs: ACQUIRE_TIMEOUT_MS,
    });
  const [app, auth, relay] = [
    open('holdfast_app', CONNECTIONS),
    open('holdfast_auth', 2),
    open('holdfast_relay', 4),
  ];
  const grants = new Grants(auth);
  try {
    const caller = callerOf(await grants.forSystem('bench', newId()), { requestId: newId() });
    await work({ adminUrl, clickhouseUrl, urlOf, tenants: new TenantDatabase(app), relay, grants, caller });
  } finally {
    grants.close();
    await Promise.all([app.close(), auth.close(), relay.close()]);
  }
}
