import { execFileSync, execSync } from 'node:child_process';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const ROOT = resolve(__dirname, '../../../..');

/** A text in a file of a release, and what stands there in its place. */
export interface Edit {
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

/** The code of an earlier commit of this repository, built, in a directory of its own. */
export class EarlierRelease {
  private constructor(
    readonly directory: string,
    readonly commit: string,
  ) {}

  /** The last commit that did not have a path; undefined where the history is not here, or not so far back. */
  static commitWithout(path: string): string | undefined {
    try {
      const added = git('log', '--format=%H', '--diff-filter=A', '--', path).trim().split('\n').at(-1);
      return added ? git('rev-parse', '--verify', '--quiet', `${added}^`).trim() : undefined;
    } catch {
      return undefined; // No repository, or its oldest commit has the path.
    }
  }

  /** Takes the files of a commit and builds them with the packages of today. */
  static build(commit: string, edits: readonly Edit[] = []): EarlierRelease {
    const directory = mkdtempSync(join(tmpdir(), 'holdfast-release-'));
    // Its processes may run as another user.
    chmodSync(directory, 0o755);
    execSync(`git archive ${commit} | tar -x -C ${directory}`, { cwd: ROOT });
    // Links one by one: builds stand beside the packages, each release's in its own directory.
    mkdirSync(join(directory, 'node_modules'));
    for (const name of readdirSync(join(ROOT, 'node_modules')).filter((each) => each !== '.cache'))
      symlinkSync(join(ROOT, 'node_modules', name), join(directory, 'node_modules', name));
    const release = new EarlierRelease(directory, commit);
    for (const edit of edits) release.edit(edit);
    execFileSync(process.execPath, [join(directory, 'apps/cli/bin/build.js')], { cwd: directory });
    return release;
  }

  /** What is run in place of today's `bin/holdfast.js`. */
  get program(): string {
    return join(this.directory, 'apps/cli/bin/holdfast.js');
  }

  /** How many migrations of today it does not have. */
  migrationsMissing(): number {
    const [own, current] = [this.directory, ROOT].map((root) => readdirSync(join(root, 'prisma/migrations')));
    return (current?.length ?? 0) - (own?.length ?? 0);
  }

  remove(): void {
    rmSync(this.directory, { recursive: true, force: true });
  }

  private edit({ file, from, to }: Edit): void {
    const path = join(this.directory, file);
    const text = readFileSync(path, 'utf8');
    if (!text.includes(from)) throw new Error(`${file} of ${this.commit} has no ${from}`);
    writeFileSync(path, text.replace(from, to));
  }
}

function git(...words: string[]): string {
  return execFileSync('git', words, { cwd: ROOT, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
}
