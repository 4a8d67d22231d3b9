import type { ListedTenantView } from '@holdfast/tenants';
import { readAll } from './input';
import type { Operator } from './operator';

/** The tenant that is named by slug or id, or all that can be looked after. */
export async function operatedTenants(
  { directory }: Operator,
  tenant: string | undefined,
): Promise<readonly ListedTenantView[]> {
  if (tenant !== undefined) return [await directory.get(tenant)];
  const all = await readAll((after) => directory.list({ limit: 200, after }));
  // Of one that is being erased nothing can be read any more.
  return all.filter(({ state }) => state !== 'erasing' && state !== 'erased');
}
