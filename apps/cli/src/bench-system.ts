import { newId, type Caller } from '@holdfast/kernel';
import { developmentUrl, type LoginRole } from '@holdfast/config';
import { Database } from '@holdfast/database';
import { callerOf, Grants, TenantDatabase } from '@holdfast/tenancy';
import { prepareDatabase } from './dev/engines';
import { onScratchServer } from './scratch-server';

/** A migrated PostgreSQL of a bench's own, with a tenant in it. */
export interface BenchSystem {
  readonly adminUrl: string;
  readonly urlOf: (role: LoginRole) => string;
  readonly tenants: TenantDatabase;
  /** Acts for the tenant with every scope; its grant outlives any bench. */
  readonly caller: Caller;
}

/** As many connections as the comparison programs get. */
const CONNECTIONS = 16;

/**
 * Starts a server, measures, and removes it. The server keeps PostgreSQL's own durability (fsync on): figures without it
 * would flatter everything that commits often.
 */
export async function withBenchSystem(work: (system: BenchSystem) => Promise<void>): Promise<void> {
  await onScratchServer({}, async (adminUrl) => {
    await prepareDatabase(adminUrl);
    const urlOf = (role: LoginRole): string => developmentUrl(adminUrl, role);
    const app = new Database({
      url: urlOf('holdfast_app'),
      name: 'holdfast bench',
      connectionsMax: CONNECTIONS,
    });
    const auth = new Database({ url: urlOf('holdfast_auth'), name: 'holdfast bench', connectionsMax: 2 });
    try {
      const grant = await new Grants(auth).forSystem('bench', newId());
      const caller = callerOf(grant, { requestId: newId() });
      await work({ adminUrl, urlOf, tenants: new TenantDatabase(app), caller });
    } finally {
      await Promise.all([app.close(), auth.close()]);
    }
  });
}
