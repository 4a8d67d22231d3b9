import { Database, statement } from '@holdfast/database';
import { newId } from '@holdfast/kernel';
import { callerOf, Grants, TenantDatabase } from '@holdfast/tenancy';
import type { BenchServers, Movement, Publisher } from './contestant.bench';

const MOVE = statement<{ moved: string; at: number; to_version: bigint }>(
  'bench.move',
  'select moved, at, to_version from bench.move($1, $2)',
);

/** Writers as Holdfast has them: a tenant's transaction with its signed context, and events appended under the lock. */
export function openPublisher(servers: BenchServers, connectionsMax: number): Promise<Publisher> {
  const open = (url: string, max: number): Database =>
    new Database({ url, name: 'bench writers', connectionsMax: max, acquireTimeoutMs: 60_000 });
  const [app, auth] = [open(servers.appUrl, connectionsMax), open(servers.authUrl, 1)];
  const [tenants, grants] = [new TenantDatabase(app), new Grants(auth)];
  grants.watch();
  const commit: Publisher['commit'] = async (tenantId, accountIds, committed) => {
    const caller = callerOf(await grants.forSystem('bench', tenantId), { requestId: newId() });
    const movements = await tenants.transaction(caller, async (tx): Promise<Movement[]> => {
      const moved = await tx.rows(MOVE, [tenantId, accountIds]);
      await tx.announce(
        ...moved.map(({ moved: streamId, at, to_version: streamVersion }) => ({
          id: newId(),
          type: 'bench.account.moved',
          schemaVersion: 1,
          streamType: 'bench.account',
          streamId,
          streamVersion,
          payload: JSON.stringify({ place: at }),
        })),
      );
      return moved.map(({ at, to_version }) => ({ place: at, version: Number(to_version) }));
    });
    committed(movements);
  };
  const close = async (): Promise<void> => {
    grants.close();
    await Promise.all([app.close(), auth.close()]);
  };
  return Promise.resolve({ commit, close });
}
