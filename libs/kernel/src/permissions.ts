/** The roles that every tenant has. A tenant adds roles of its own, made of permissions. */
export const BUILT_IN_ROLES = ['owner', 'admin', 'member', 'auditor'] as const;

/** One of the roles that every tenant has. */
export type BuiltInRole = (typeof BUILT_IN_ROLES)[number];

/** Who holds a permission without being given it one by one. The owner holds all, also those that are added later. */
type Holder = Exclude<BuiltInRole, 'owner'>;

const EVERYBODY: readonly Holder[] = ['admin', 'member', 'auditor'];
const WATCHERS: readonly Holder[] = ['admin', 'auditor'];
const ADMINS: readonly Holder[] = ['admin'];
const WORKERS: readonly Holder[] = ['admin', 'member'];

const permission = <Name extends string>(name: Name, meaning: string, roles: readonly Holder[]) =>
  ({ name, meaning, roles }) as const;

/**
 * Everything that can be allowed, what it means, and which built-in roles hold it: the one table of authorisation. Every
 * command and query names one of these as its `scope`, API keys and roles are made of them, and the bus checks nothing else.
 */
export const PERMISSIONS = [
  permission('tenant:read', 'See the tenant, its settings, plan and usage', EVERYBODY),
  permission('tenant:write', 'Change the tenant’s name and settings', ADMINS),
  permission('members:read', 'See members, roles and invitations', WATCHERS),
  permission('members:write', 'Invite, change and remove members', ADMINS),
  permission('roles:write', 'Define the tenant’s own roles', ADMINS),
  permission('issuers:read', 'See whom the tenant lets sign its people in', WATCHERS),
  permission('issuers:write', 'Decide whom the tenant lets sign its people in', ADMINS),
  permission('keys:read', 'See API keys', WATCHERS),
  permission('keys:write', 'Make, rotate and end API keys', ADMINS),
  permission('support:read', 'See when and why the operator acted for the tenant', WATCHERS),
  permission('support:write', 'End the operator’s access', ADMINS),
  permission('exports:read', 'See exports and download them', ADMINS),
  permission('exports:write', 'Export everything that the tenant has', ADMINS),
  permission('ledger:read', 'See accounts, transfers and balances', EVERYBODY),
  permission('ledger:write', 'Open accounts and post transfers', WORKERS),
  permission('ledger:close', 'Close and reopen periods for what is dated back', ADMINS),
  permission('payments:read', 'See payments from and to other tenants', EVERYBODY),
  permission('payments:write', 'Pay other tenants from the tenant’s accounts', WORKERS),
  permission('audit:read', 'Read the audit trail', WATCHERS),
  permission('audit:write', 'Name witnesses of the sealed log, and decide how long events are kept', ADMINS),
  permission('personal:read', 'See the personal values that the audit trail keeps aside', ADMINS),
  permission('personal:write', 'Erase people from the audit trail, and place legal holds', ADMINS),
  permission('events:read', 'See which events there are, and follow them as they come', WATCHERS),
  permission('webhooks:read', 'See webhooks and what was delivered to them', WATCHERS),
  permission('webhooks:write', 'Make, change, test and remove webhooks, and retry deliveries', ADMINS),
  permission('sagas:read', 'See sagas, and how far each is', WATCHERS),
  permission('sagas:write', 'Give sagas up, and have those go on that wait for somebody', ADMINS),
  permission('telemetry:read', 'Read telemetry, and see write keys', EVERYBODY),
  permission('telemetry:write', 'Make and revoke the keys that telemetry is sent with', ADMINS),
] as const;

/** A permission, such as `ledger:write`. */
export type Permission = (typeof PERMISSIONS)[number]['name'];

/**
 * What the credentials of a suspended tenant are still good for, if they may post: ending the holds that it has. No role and
 * no key can have it; the database puts it, and nothing else, into grants for suspended tenants.
 */
export const SETTLE = 'ledger:settle';

/** What a message asks of its caller: a permission, `operator`, which only the operator’s own grants hold, or `SETTLE`. */
export type Scope = Permission | 'operator' | typeof SETTLE;

/** The names of all permissions, in the order of the table. */
export const PERMISSION_NAMES = PERMISSIONS.map(({ name }) => name) as readonly Permission[];

/** What the holders of a built-in role may do; `*` stands for everything. */
export function scopesOfRole(role: BuiltInRole): readonly (Permission | '*')[] {
  if (role === 'owner') return ['*'];
  return PERMISSIONS.filter(({ roles }) => roles.includes(role)).map(({ name }) => name);
}
