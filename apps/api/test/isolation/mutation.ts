import { existsSync } from 'node:fs';
import path from 'node:path';
import { ISOLATION_RULES } from '@holdfast/tenancy';

/** A defence that was broken on purpose, and the guard that said so. */
export interface Kill {
  readonly rule: number;
  readonly mutation: string;
  /** The object, statement or route that the guard named. */
  readonly object: string;
}

/** One line for each mutation: row, pitfall, mutation, guard, object. */
export function killTable(kills: readonly Kill[]): string {
  const rows = ISOLATION_RULES.flatMap(({ rule, pitfall, guard }) =>
    kills
      .filter((kill) => kill.rule === rule)
      .map(({ mutation, object }) => [String(rule), pitfall, mutation, path.basename(guard), object]),
  );
  const all = [['row', 'pitfall', 'mutation', 'caught by', 'object'], ...rows];
  const widths = [0, 1, 2, 3].map((column) => Math.max(...all.map((row) => row[column]?.length ?? 0)));
  return all.map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')).join('\n');
}

/** Rows of the table that nothing has broken, and guards that are not there. */
export function unprovedRules(kills: readonly Kill[]): string[] {
  const root = path.resolve(__dirname, '../../../..');
  return ISOLATION_RULES.flatMap(({ rule, pitfall, guard }) => [
    ...(kills.some((kill) => kill.rule === rule) ? [] : [`${rule}: no mutation of "${pitfall}"`]),
    ...(guard === 'doctor' || existsSync(path.join(root, guard)) ? [] : [`${rule}: there is no ${guard}`]),
  ]);
}
