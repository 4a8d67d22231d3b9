import { environmentWith, readConfig } from '@holdfast/config';
import { Database } from '@holdfast/database';
import { newId } from '@holdfast/kernel';
import { saga, SagaRunner } from '@holdfast/sagas';
import { callerOf, Grants, TenantDatabase } from '@holdfast/tenancy';
import type { Client } from 'pg';
import { z } from 'zod';
import type { DevFile } from '../src/dev/dev-file';

/** Stops at its second step. No process of the system has the definition. */
const stoppingSaga = saga({ name: 'test.stopping', input: z.strictObject({}) })
  .compensatable('hold', { run: () => Promise.resolve(), compensate: () => Promise.resolve() })
  .retriable('post', { run: () => Promise.reject(new RangeError('as planned')), attemptsMax: 1 })
  .build();

/** Begins one of a tenant as a process of another release does, and answers its id once it waits for an operator. */
export async function beginStoppingSaga(running: DevFile, admin: Client, slug: string): Promise<string> {
  const { rows } = await admin.query<{ id: string }>(
    'select tenant_id as id from tenants.tenants where slug = $1',
    [slug],
  );
  const tenantId = rows[0]?.id ?? '';
  const config = readConfig(
    'cli',
    environmentWith({ DATABASE_ADMIN_URL: running.database.admin, NODE_ENV: 'development' }),
  );
  const open = (url = ''): Database => new Database({ url, name: 'holdfast test', connectionsMax: 2 });
  const [app, auth] = [open(config.databaseUrl), open(config.databaseAuthUrl)];
  const [tenants, grants] = [new TenantDatabase(app), new Grants(auth)];
  const runner = new SagaRunner({ tenants, grants, report: () => {} });
  try {
    const caller = callerOf(await grants.forSystem('test', tenantId), { requestId: newId() });
    const id = await tenants.transaction(caller, (tx) => runner.begin(tx, stoppingSaga, {}));
    await runner.whenIdle(id);
    return id;
  } finally {
    await runner.stop();
    grants.close();
    await Promise.all([app.close(), auth.close()]);
  }
}
