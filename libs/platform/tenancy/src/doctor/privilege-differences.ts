import type { Offence } from './catalogue-check';
import type { Granted } from './granted';
import type { RolePrivileges } from './privileges';

const LIST = 'libs/platform/tenancy/src/doctor/privileges.ts';

/** A privilege on a whole object, or on one column of it. */
type Privilege = Pick<Granted, 'role' | 'kind' | 'object' | 'target' | 'privilege' | 'column_name'>;

type Matrix = Readonly<Record<string, RolePrivileges>>;

/** What is granted beyond the matrix, and what the matrix says a role has and it has not. */
export function comparePrivileges(matrix: Matrix, granted: readonly Granted[]): Offence[] {
  const wanted = Object.entries(matrix).flatMap(([role, privileges]) => privilegesOf(role, privileges));
  const wantedKeys = new Set(wanted.map(keyOf));
  const grantedKeys = new Set(granted.map(keyOf));
  return [
    ...joinColumns(granted.filter((each) => !wantedKeys.has(keyOf(each)))).map(surplus),
    ...joinColumns(wanted.filter((each) => !grantedKeys.has(keyOf(each)))).map(lack),
    ...granted.filter((each) => each.is_grantable && wantedKeys.has(keyOf(each))).map(grantable),
  ];
}

function privilegesOf(role: string, { schemas, tables, functions, owns }: RolePrivileges): Privilege[] {
  const on = (kind: Granted['kind'], privilege: string) => (object: string) => ({
    role,
    kind,
    object,
    target: object,
    privilege,
    column_name: null,
  });
  return [
    ...(schemas ?? []).map(on('schema', 'usage')),
    ...(functions ?? []).map(on('routine', 'execute')),
    ...(owns ?? []).map((object) => on(object.includes('.') ? 'routine' : 'schema', 'ownership')(object)),
    ...Object.entries(tables ?? {}).flatMap(([table, clauses]) =>
      clauses.flatMap((clause) => {
        const { privilege, columns } = readClause(clause);
        return columns.map((column_name) => ({ ...on('table', privilege)(table), column_name }));
      }),
    ),
  ];
}

/** `update (body, closed_at)`; without brackets it is about the whole table. */
function readClause(clause: string): { privilege: string; columns: (string | null)[] } {
  const [privilege = '', columns] = clause.split(/ \(|\)/);
  return { privilege, columns: columns?.split(', ') ?? [null] };
}

function keyOf({ role, object, privilege, column_name }: Privilege): string {
  return [role, object, privilege, column_name ?? ''].join(' ');
}

/** Columns under one privilege read better, and mend quicker, in one finding. */
function joinColumns(privileges: readonly Privilege[]): Privilege[] {
  const columnsOf = new Map<string, Privilege>();
  for (const each of privileges) {
    const key = `${keyOf({ ...each, column_name: null })} ${each.target} ${each.column_name === null}`;
    const first = columnsOf.get(key);
    const column_name = first ? `${first.column_name}, ${each.column_name}` : each.column_name;
    columnsOf.set(key, { ...each, column_name });
  }
  return [...columnsOf.values()];
}

function surplus(privilege: Privilege): Offence {
  const { role, kind, object, target } = privilege;
  if (privilege.privilege === 'ownership') {
    return {
      object,
      reason: `it belongs to ${role}, and ${LIST} does not have it under \`owns\` there`,
      fix: `alter ${kind} ${target} owner to holdfast_owner;`,
    };
  }
  return {
    object,
    reason: `${role} has ${clauseOf(privilege)}, and nobody decided so: if a migration means it, ${LIST} needs ${entryOf(privilege)}`,
    fix: `revoke ${clauseOf(privilege)} on ${kind} ${target} from ${role};`,
  };
}

function lack(privilege: Privilege): Offence {
  const { role, kind, object, target } = privilege;
  const isOwnership = privilege.privilege === 'ownership';
  return {
    object,
    reason: `${role} lacks ${clauseOf(privilege)}, or the ${kind} is gone: if a migration means it, ${LIST} loses ${entryOf(privilege)}`,
    fix: isOwnership
      ? `alter ${kind} ${target} owner to ${role};`
      : `grant ${clauseOf(privilege)} on ${kind} ${target} to ${role};`,
  };
}

function grantable(privilege: Granted): Offence {
  const { role, kind, object, target } = privilege;
  return {
    object,
    reason: `${role} may hand on ${clauseOf(privilege)}`,
    fix: `revoke grant option for ${clauseOf(privilege)} on ${kind} ${target} from ${role};`,
  };
}

function clauseOf({ privilege, column_name }: Privilege): string {
  return column_name === null ? privilege : `${privilege} (${column_name})`;
}

/** The line of the matrix, as one would write it. */
function entryOf(privilege: Privilege): string {
  const { role, kind, object } = privilege;
  if (privilege.privilege === 'ownership') return `'${object}' in owns of ${role}`;
  if (kind === 'schema') return `'${object}' in schemas of ${role}`;
  if (kind === 'routine') return `'${object}' in functions of ${role}`;
  return `'${clauseOf(privilege)}' at '${object}' in tables of ${role}`;
}
