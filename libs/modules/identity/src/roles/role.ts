import { BUILT_IN_ROLES, type BuiltInRole, PERMISSION_NAMES, scopesOfRole } from '@holdfast/kernel';
import { z } from 'zod';

/** A role as a member holds it: built in, or one of the tenant's own by its id. */
export interface HeldRole {
  readonly builtIn: BuiltInRole | null;
  readonly id: string | null;
  readonly scopes: readonly string[];
}

/** A permission by its name. There is no `*`: only owners have everything. */
export const permissionSchema = z.enum(PERMISSION_NAMES as [string, ...string[]]);

/** A role in a request: the name of a built-in one, or the id of one of the tenant's own. */
export const roleReference = z
  .string()
  .toLowerCase()
  .regex(
    /^(?:owner|admin|member|auditor|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/,
    'A role is owner, admin, member, auditor or the id of one of the tenant’s own.',
  )
  .meta({ description: 'A built-in role, or the id of one of your own.', examples: ['member'] });

/** The built-in role of the name, or undefined. */
export function builtInRole(name: string): HeldRole | undefined {
  const builtIn = BUILT_IN_ROLES.find((role) => role === name);
  return builtIn && { builtIn, id: null, scopes: scopesOfRole(builtIn) };
}

/** A role on the wire. */
export const roleView = z.object({
  id: z.string().meta({ description: 'Its name, when it is built in.' }),
  name: z.string(),
  permissions: z.array(z.string()).meta({ description: '`*` for all, also those that are added later.' }),
  builtIn: z.boolean(),
  version: z.string(),
  createdAt: z.iso.datetime().nullable(),
});

/** A role on the wire. */
export type RoleView = z.output<typeof roleView>;

/** A row of identity.roles. */
export interface RoleRow {
  readonly id: string;
  readonly name: string;
  readonly permissions: string[];
  readonly version: bigint;
  readonly created_at: Date;
}

/** Shows a role of the tenant's own. */
export function showRole(row: RoleRow): RoleView {
  const { id, name, permissions, version, created_at: createdAt } = row;
  return {
    id,
    name,
    permissions,
    builtIn: false,
    version: version.toString(),
    createdAt: createdAt.toISOString(),
  };
}

/** The roles that every tenant has. */
export const BUILT_IN_VIEWS: readonly RoleView[] = BUILT_IN_ROLES.map((name) => ({
  id: name,
  name,
  permissions: [...scopesOfRole(name)],
  builtIn: true,
  version: '1',
  createdAt: null,
}));
