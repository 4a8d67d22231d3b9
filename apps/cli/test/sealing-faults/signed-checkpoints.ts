import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseCheckpoint, parseNote } from '@holdfast/tlog';
import type { TestDatabase } from '@holdfast/testing';
import { readSealedTrees, rootOf } from '../../../../libs/modules/audit/test/sealed-log';

/** Every checkpoint that was ever signed, as far as files and tables tell: by origin and size the roots. */
export class SignedCheckpoints {
  private readonly roots = new Map<string, Map<number, Set<string>>>();

  /** Looks at what the signers' files and the database have. Often enough, nothing is missed: files are appended to. */
  async collect(directory: string, admin: TestDatabase['admin']): Promise<void> {
    const names = existsSync(directory) ? readdirSync(directory) : [];
    for (const name of names.filter((each) => each.endsWith('.signed'))) {
      for (const line of readFileSync(join(directory, name), 'utf8').split('\n')) {
        const text = line.slice(17);
        if (!text.endsWith(']')) continue; // Torn, or under way.
        for (const { note } of JSON.parse(text) as { note: string }[]) this.keep(note);
      }
    }
    for (const { note } of await admin<{ note: string }>('select note from audit.checkpoints'))
      this.keep(note);
  }

  get count(): number {
    return [...this.roots.values()].reduce((sum, sizes) => sum + sizes.size, 0);
  }

  /** The largest size that was signed of a tree. */
  largest(origin: string): number {
    return Math.max(0, ...(this.roots.get(origin)?.keys() ?? []));
  }

  /**
   * What contradicts: two roots of one size, or a root other than the tree has at that size. All that agree with one tree are
   * consistent with each other. Sizes that an ended epoch no longer has can be compared among themselves only.
   */
  async contradictions(
    database: TestDatabase,
    logName: string,
    tenantIds: readonly string[],
  ): Promise<string[]> {
    const found: string[] = [];
    for (const [origin, sizes] of this.roots)
      for (const [size, roots] of sizes)
        if (roots.size > 1) found.push(`${origin} has ${roots.size} roots at ${size}`);
    const trees = await Promise.all(tenantIds.map((tenantId) => readSealedTrees(database, tenantId)));
    for (const tree of trees.flat()) {
      const origin = `${logName}/${tree.tenantId}/${tree.epoch}`;
      const covered = [...(this.roots.get(origin) ?? [])].filter(([size]) => size <= tree.hashes.length);
      for (const [size, roots] of covered)
        if (!roots.has((await rootOf(tree, size)).toString('base64')))
          found.push(`${origin} is no later state of the one that was signed at ${size}`);
    }
    return found;
  }

  private keep(note: string): void {
    const { origin, size, root } = parseCheckpoint(parseNote(note).text);
    const sizes = this.roots.get(origin) ?? new Map<number, Set<string>>();
    this.roots.set(origin, sizes);
    const roots = sizes.get(Number(size)) ?? new Set<string>();
    sizes.set(Number(size), roots.add(root.toString('base64')));
  }
}
