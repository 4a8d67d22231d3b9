import { statement } from '@holdfast/database';
import type { CheckedRule, Finding, Offence } from './catalogue-check';

/** An object that a rule leaves out: a decision with a reason, somebody who answers for it and, where it can end, an end. */
export interface Exemption {
  readonly rule: number;
  readonly object: string;
  readonly reason: string;
  readonly owner: string;
  /** ISO 8601; null where it holds by design. */
  readonly expiresAt: string | null;
  /** By the database's clock. From then on the object is found again. */
  readonly hasExpired: boolean;
  /** Whether that is within two weeks: time to mend it, or to decide again, before a start is refused. */
  readonly endsSoon: boolean;
}

/** A few dozen at most: each is a decision that somebody answers for. */
export const LIST_EXEMPTIONS = statement<Exemption>(
  'doctor.list_exemptions',
  `select rule, object, reason, owner, to_char(expires_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') as "expiresAt",
     coalesce(expires_at <= clock_timestamp(), false) as "hasExpired",
     coalesce(expires_at <= clock_timestamp() + interval '14 days', false) as "endsSoon"
   from tenancy.exemptions
   order by rule, object
   limit 1000`,
);

/**
 * The offences against a rule that no exemption covers, as findings. One whose exemption has expired names it; one whose
 * exemption ends soon is a warning.
 */
export function findingsOf(
  { rule, severity = 'hole', exemptedUnder }: CheckedRule,
  offences: readonly Offence[],
  exemptions: readonly Exemption[],
): Finding[] {
  const exemptionOf = (object: string): Exemption | undefined =>
    exemptions
      .filter((each) => each.object === object && (each.rule === rule || each.rule === exemptedUnder))
      .toSorted((one, other) => Number(one.hasExpired) - Number(other.hasExpired))[0];
  return offences.flatMap((offence): Finding[] => {
    const exemption = exemptionOf(offence.object);
    if (!exemption) return [{ rule, severity, ...offence }];
    if (!exemption.endsSoon) return [];
    const { owner, reason, expiresAt, hasExpired } = exemption;
    const end = `the exemption of ${owner} (${reason}) ${hasExpired ? 'expired' : 'ends'} at ${expiresAt}`;
    return [
      { rule, ...offence, severity: hasExpired ? severity : 'warning', reason: `${offence.reason}; ${end}` },
    ];
  });
}
