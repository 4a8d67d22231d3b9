import { statement, type Statement } from '@holdfast/database';
import type { Offence } from './catalogue-check';

/** The tables whose rows have policies, as `schema.name`. */
export const LIST_PROTECTED = statement<{ name: string }>(
  'doctor.list_protected_tables',
  `select format('%s.%s', n.nspname, c.relname) as name
   from pg_class c
   join pg_namespace n on n.oid = c.relnamespace
   where c.relkind in ('r', 'p') and c.relrowsecurity and n.nspname <> 'jobs'
   order by 1
   limit 1000`,
);

/** A table that a statement names; a name in front of a bracket is a function, unless columns follow it in an INSERT. */
const TABLE =
  /\b(?:into\s+([a-z_]+\.[a-z_]+)|(?:from|join|update|using)\s+(?:only\s+)?([a-z_]+\.[a-z_]+)\b(?!\s*\())/gi;

/** A comparison with a parameter, or the first column of an INSERT. */
const CARRIES_TENANT =
  /\btenant_id\s*=\s*(?:any\s*\(\s*)?\$\d|\binto\s+[a-z_.]+\s+(?:as\s+\w+\s+)?\(\s*tenant_id\b/i;

/**
 * Statements over protected tables that do not say which tenant they are about.
 *
 * Row-level security answers for them, but late: an operator that is not leakproof runs behind the policy and never
 * reaches an index, so `tenant_id = $n` is what a plan begins with. It is the second net where the first has a hole.
 */
export function statementOffences(
  statements: readonly Statement<unknown>[],
  protectedTables: ReadonlySet<string>,
): Offence[] {
  return statements
    .filter(
      ({ text }) => !CARRIES_TENANT.test(text) && tablesOf(text).some((table) => protectedTables.has(table)),
    )
    .map(({ name }) => ({
      object: name,
      reason: 'the statement leaves it to row-level security alone which tenant it is about',
      fix: 'add tenant_id = $n to the statement',
    }));
}

function tablesOf(text: string): string[] {
  return [...text.matchAll(TABLE)].map(([, inserted, read]) => (inserted ?? read ?? '').toLowerCase());
}
