import type { TreeFile } from './tree';

/** Lists what breaks a rule, one line each, naming the place; an empty list is a tidy tree. */
export type Rule = (files: readonly TreeFile[]) => readonly string[];

/** Files by path, for samples. */
export type Sample = Readonly<Record<string, string>>;

interface RuleCase {
  readonly rule: Rule;
  /** Each is refused with exactly one offender, which proves that the rule can fail. */
  readonly refused: readonly Sample[];
  readonly accepted: readonly Sample[];
  /** Why the rule exists and what to do, printed with the offenders. */
  readonly advice: string;
}

const filesOf = (sample: Sample): TreeFile[] =>
  Object.entries(sample).map(([path, text]) => ({ path, text }));

/** Fails with the advice and the offenders, which a comparison of arrays would bury in a diff. */
export function expectTidy(offenders: readonly string[], advice: string): void {
  if (offenders.length > 0) throw new Error(`${advice}\n${offenders.map((line) => `  ${line}`).join('\n')}`);
}

/** Tests a rule on its samples, then holds it over the tree. */
export function describeRule(sentence: string, files: readonly TreeFile[], ruleCase: RuleCase): void {
  const { rule, refused, accepted, advice } = ruleCase;
  describe(sentence, () => {
    test('refuses what breaks it', () => {
      expect(refused.map((sample) => rule(filesOf(sample)).length)).toEqual(refused.map(() => 1));
    });

    test('accepts what keeps it', () => {
      expect(accepted.flatMap((sample) => rule(filesOf(sample)))).toEqual([]);
    });

    test('holds over the tree', () => expectTidy(rule(files), advice));
  });
}

/** The smallest value that nine tenths of the values do not exceed; 0 of none. */
export function percentile90(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.max(0, Math.ceil(values.length * 0.9) - 1)] ?? 0;
}
