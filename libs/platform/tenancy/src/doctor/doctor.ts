import { statement, SystemTx, TenantContextRefused } from '@holdfast/database';
import type { CatalogueCheck, Offence } from './catalogue-check';
import { DETOUR_CHECKS } from './detour-checks';
import { LIST_GRANTED } from './granted';
import { POLICY_CHECKS } from './policy-checks';
import { PRIVILEGE_CHECKS } from './privilege-checks';
import { comparePrivileges } from './privilege-differences';
import { PRIVILEGES } from './privileges';
import { type DoctorPools, missingRefusals } from './refusals';

/** A hole in tenant isolation: which rule, which object, why, and the SQL that mends it. */
export interface Finding extends Offence {
  readonly rule: number;
}

/** The checks that look at the catalogue, which every role may read: they need no more rights than the application has. */
const CATALOGUE_CHECKS: readonly CatalogueCheck[] = [...POLICY_CHECKS, ...DETOUR_CHECKS, ...PRIVILEGE_CHECKS];

/** What `privileges.ts` is compared under. */
const MATRIX: CheckedRule = { rule: 20 };

type CheckedRule = Pick<CatalogueCheck, 'rule' | 'exemptedUnder'>;

interface Exemption {
  readonly rule: number;
  readonly object: string;
}

/** A few dozen at most: each is a decision that somebody answers for. */
const LIST_EXEMPTIONS = statement<Exemption>(
  'doctor.list_exemptions',
  'select rule, object from tenancy.exemptions order by rule, object limit 1000',
);

/**
 * Looks for holes in tenant isolation in a live database and answers what it found; nothing means none.
 *
 * It connects as the application does, so it sees what the application would be let through to, and an API runs it
 * before it serves. Objects in `tenancy.exemptions` are left out. Reads only, in well under 150 ms.
 */
export async function runDoctor(pools: DoctorPools): Promise<Finding[]> {
  const [offences, probed] = await Promise.allSettled([readCatalogue(pools), probe(pools)]);
  if (offences.status === 'rejected') throw offences.reason;
  // A role that lacks a privilege cannot even try, and the catalogue says which one it is.
  if (probed.status === 'rejected' && offences.value.length === 0) throw probed.reason;
  const refusals = probed.status === 'rejected' ? [] : probed.value;
  return [...offences.value, ...refusals].toSorted((one, other) => one.rule - other.rule);
}

/** Findings for people: one paragraph each. */
export function formatFindings(findings: readonly Finding[]): string {
  if (findings.length === 0) return 'No hole in tenant isolation found.';
  const paragraphs = findings.map(
    ({ rule, object, reason, fix }) => `Rule ${rule}: ${object}\n  ${reason}\n  fix: ${fix}`,
  );
  return [...paragraphs, `${findings.length} found. The rules are in libs/platform/tenancy/README.md.`].join(
    '\n\n',
  );
}

async function readCatalogue({ app }: DoctorPools): Promise<Finding[]> {
  return app.transaction(
    (connection) => new SystemTx(connection, 'read only'),
    async (tx) => {
      const [exemptions, granted, ...offences] = await Promise.all([
        tx.rows(LIST_EXEMPTIONS),
        tx.rows(LIST_GRANTED),
        ...CATALOGUE_CHECKS.map((check) => tx.rows(check.statement)),
      ]);
      const findingsOf = (check: CheckedRule, found: readonly Offence[] = []): Finding[] =>
        found
          .filter(({ object }) => !isExempt(check, object, exemptions))
          .map((offence) => ({ rule: check.rule, ...offence }));
      return [
        ...CATALOGUE_CHECKS.flatMap((check, index) => findingsOf(check, offences[index])),
        ...findingsOf(MATRIX, comparePrivileges(PRIVILEGES, granted)),
      ];
    },
  );
}

function isExempt(
  { rule, exemptedUnder }: CheckedRule,
  object: string,
  exemptions: readonly Exemption[],
): boolean {
  return exemptions.some(
    (each) => each.object === object && (each.rule === rule || each.rule === exemptedUnder),
  );
}

async function probe(pools: DoctorPools): Promise<Finding[]> {
  const fix = 'restore the function from prisma/migrations with create or replace function';
  try {
    const missing = await missingRefusals(pools);
    return missing.map(({ rule, object, what }) => ({
      rule,
      object,
      reason: `${what} is not refused with HF001`,
      fix,
    }));
  } catch (error) {
    if (!(error instanceof TenantContextRefused)) throw error;
    return [{ rule: 5, object: 'tenancy.enter(text)', reason: 'a genuine grant is refused', fix }];
  }
}
