import { registeredStatements, SystemTx, TenantContextRefused } from '@holdfast/database';
import type { CatalogueCheck, CheckedRule, Finding, Offence } from './catalogue-check';
import { DETOUR_CHECKS } from './detour-checks';
import type { Diagnosis } from './diagnosis';
import { findingsOf, LIST_EXEMPTIONS } from './exemptions';
import { LIST_GRANTED } from './granted';
import { POLICY_CHECKS } from './policy-checks';
import { PRIVILEGE_CHECKS } from './privilege-checks';
import { comparePrivileges } from './privilege-differences';
import { PRIVILEGES } from './privileges';
import { RECORD_CHECKS } from './record-checks';
import { type DoctorPools, missingRefusals, survivesEntering } from './refusals';
import { FIND_SERVER_VERSION, versionOffences } from './server-version';
import { LIST_PROTECTED, statementOffences } from './statement-checks';

/** The checks that look at the catalogue, which every role may read: they need no more rights than the application has. */
const CATALOGUE_CHECKS: readonly CatalogueCheck[] = [
  ...POLICY_CHECKS,
  ...DETOUR_CHECKS,
  ...PRIVILEGE_CHECKS,
  ...RECORD_CHECKS,
];

/** What `privileges.ts` is compared under. */
const MATRIX: CheckedRule = { rule: 20 };

/** What the statements are read under: row-level security binds them all the same. */
const STATEMENTS: CheckedRule = { rule: 18, severity: 'warning' };

/** What opens each transaction of a tenant. */
const ENTER = 'tenancy.enter(text)';

/** How the doctor judges. */
export interface DoctorOptions {
  /** Whether a server that lacks repairs is a hole; otherwise it is a warning. */
  readonly isProduction?: boolean;
}

/**
 * Looks for holes in tenant isolation in a live database and answers what it found; no hole means that it may be served.
 *
 * It connects as the application does, so it sees what the application would be let through to, and an API runs it
 * before it serves. Objects in `tenancy.exemptions` are left out. The statements that it reads are those that the process
 * has declared. Reads only, with as many statements whatever there is, in some 20 ms.
 */
export async function runDoctor(pools: DoctorPools, options: DoctorOptions = {}): Promise<Diagnosis> {
  const [catalogue, probed] = await Promise.allSettled([readCatalogue(pools, options), probe(pools)]);
  if (catalogue.status === 'rejected') throw catalogue.reason;
  const { findings, exemptions } = catalogue.value;
  // A role that lacks a privilege cannot even try, and the catalogue says which one it is.
  if (probed.status === 'rejected' && !findings.some(({ severity }) => severity === 'hole'))
    throw probed.reason;
  const refusals = probed.status === 'rejected' ? [] : probed.value;
  return { findings: [...findings, ...refusals].toSorted((one, other) => one.rule - other.rule), exemptions };
}

async function readCatalogue({ app }: DoctorPools, { isProduction }: DoctorOptions): Promise<Diagnosis> {
  return app.transaction(
    (connection) => new SystemTx(connection, 'read only'),
    async (tx) => {
      const [exemptions, granted, versions, tables, ...offences] = await Promise.all([
        tx.rows(LIST_EXEMPTIONS),
        tx.rows(LIST_GRANTED),
        tx.rows(FIND_SERVER_VERSION),
        tx.rows(LIST_PROTECTED),
        ...CATALOGUE_CHECKS.map((check) => tx.rows(check.statement)),
      ]);
      const protectedTables = new Set(tables.map(({ name }) => name));
      const version: CheckedRule = { rule: 17, severity: isProduction ? 'hole' : 'warning' };
      const checked: readonly (readonly [CheckedRule, readonly Offence[]])[] = [
        ...CATALOGUE_CHECKS.map((check, index) => [check, offences[index] ?? []] as const),
        [MATRIX, comparePrivileges(PRIVILEGES, granted)],
        [version, versions.flatMap(versionOffences)],
        [STATEMENTS, statementOffences(registeredStatements(), protectedTables)],
      ];
      const findings = checked.flatMap(([rule, found]) => findingsOf(rule, found, exemptions));
      return { findings, exemptions };
    },
  );
}

async function probe(pools: DoctorPools): Promise<Finding[]> {
  const finding = (rule: number, object: string, reason: string): Finding => ({
    rule,
    severity: 'hole',
    object,
    reason,
    fix: 'restore the function from prisma/migrations with create or replace function',
  });
  try {
    const missing = await missingRefusals(pools);
    const left = (await survivesEntering(pools))
      ? [finding(6, ENTER, 'what a statement sets for its session is there for the next tenant')]
      : [];
    return [
      ...missing.map(({ rule, object, what }) => finding(rule, object, `${what} is not refused with HF001`)),
      ...left,
    ];
  } catch (error) {
    if (!(error instanceof TenantContextRefused)) throw error;
    return [finding(5, ENTER, 'a genuine grant is refused')];
  }
}
