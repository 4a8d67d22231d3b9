import { statement, type Statement } from '@holdfast/database';

/** What a catalogue query returns for each object that breaks its rule. */
export interface Offence {
  readonly object: string;
  readonly reason: string;
  /** SQL that mends it, for somebody who is a member of holdfast_owner. */
  readonly fix: string;
}

/** One way in which row-level security fails, and the query that finds it. Numbers are those of the README's table. */
export interface CatalogueCheck {
  readonly rule: number;
  readonly title: string;
  readonly statement: Statement<Offence>;
  /** An exemption under that rule exempts the object from this one too: what has no policy needs no certain policy. */
  readonly exemptedUnder?: number;
}

/** A check's query, under a name of its own. */
export const find = (name: string, sql: string): Statement<Offence> =>
  statement<Offence>(`doctor.find_${name}`, sql);
