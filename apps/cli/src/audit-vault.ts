import { Database, SystemTx } from '@holdfast/database';
import { KeyDirectory, type MendedVault, mendVault } from '@holdfast/vault';
import { VerbFailed } from './failures';
import { operatedTenants } from './operated-tenants';
import { asOperator } from './operator';
import { columns, printOutcome } from './output';
import { required, runningSystem } from './running-system';

interface Asked {
  readonly tenant?: string;
  readonly discard?: boolean;
  readonly json?: boolean;
}

/** The vault of one tenant. */
interface TenantVault extends MendedVault {
  readonly tenantId: string;
  readonly slug: string | null;
}

/** Seals key files under the present VAULT_KEY, names keys that are gone, and discards what is under those if it is told to. */
export async function mendVaults({ tenant, discard = false, json }: Asked): Promise<void> {
  const system = runningSystem();
  const keys = new KeyDirectory(required(system.vaultDirectory, 'VAULT_DIRECTORY'), system.vaultKeys);
  const admin = new Database({
    url: required(system.databaseAdminUrl, 'DATABASE_ADMIN_URL'),
    name: 'holdfast cli',
    connectionsMax: 1,
  });
  const vaults: TenantVault[] = [];
  try {
    for (const { id: tenantId, slug } of await asOperator((operator) => operatedTenants(operator, tenant))) {
      const mended = await admin.transaction(
        (connection) => Object.assign(new SystemTx(connection), { tenantId }),
        (tx) => mendVault(tx, keys, { discard }),
      );
      vaults.push({ tenantId, slug, ...mended });
    }
  } finally {
    await admin.close();
  }
  printOutcome(json, vaults, text);
  const waiting = vaults.filter(({ missingKeys }) => missingKeys.length > 0);
  if (waiting.length > 0 && !discard) throw new VerbFailed(`keys of ${waiting.length} tenants are gone`);
}

function text(vaults: readonly TenantVault[]): string {
  const heading = ['tenant', 'sealed anew', 'keys that are gone', 'values discarded'];
  return columns(
    heading,
    vaults.map(({ tenantId, slug, resealed, missingKeys, discarded }) => [
      slug ?? tenantId,
      String(resealed),
      missingKeys.join(' ') || '-',
      String(discarded),
    ]),
  );
}
