import { statement, type Statement } from '@holdfast/database';

/** A hole lets one tenant reach another, and nothing is served over it; a warning is a net that has become thinner. */
export type Severity = 'hole' | 'warning';

/** An object that breaks a rule. */
export interface Offence {
  readonly object: string;
  readonly reason: string;
  /** SQL that mends it, for somebody who is a member of holdfast_owner; or a sentence, where SQL cannot. */
  readonly fix: string;
}

/** What breaks a rule of tenant isolation: which rule, how bad, which object, why, and what mends it. */
export interface Finding extends Offence {
  readonly rule: number;
  readonly severity: Severity;
}

/** What an exemption has to be about to leave an offence out. Numbers are those of the README's table. */
export interface CheckedRule {
  readonly rule: number;
  /** Absent: a hole. */
  readonly severity?: Severity;
  /** An exemption under that rule exempts the object from this one too: what has no policy needs no certain policy. */
  readonly exemptedUnder?: number;
}

/** One way in which row-level security fails, and the query that finds it. */
export interface CatalogueCheck extends CheckedRule {
  readonly title: string;
  readonly statement: Statement<Offence>;
}

/** A check's query, under a name of its own. */
export const find = (name: string, sql: string): Statement<Offence> =>
  statement<Offence>(`doctor.find_${name}`, sql);
