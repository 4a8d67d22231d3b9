import { hash } from 'node:crypto';
import { type FileHandle, mkdir, open, readdir, readFile, rename, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { TreeKey } from './trees.sql';

/** What was signed last of a tree. */
export interface Signed extends TreeKey {
  /** Which adoption of the database it was signed in (`SealedLineage.name`). */
  readonly lineage: string;
  readonly size: number;
  /** In base64. */
  readonly root: string;
  readonly note: string;
}

/** A line in the middle of a file does not fit its digest: what was signed is not known, and nothing is signed. */
export class SignerMemoryDamaged extends Error {
  override readonly name = 'SignerMemoryDamaged';
}

const ENDING = '.signed';
/** Characters of the SHA-256 in front of each line: enough to tell that it is whole. */
const DIGEST_LENGTH = 16;
/** A file that has grown by this, and by four times what is live in it, is written anew. */
const GROWTH_MIN_BYTES = 16 * 1_048_576;
const GROWTH_RATIO = 4;
/** Entries of one line where everything is written anew. */
const LINE_ENTRIES = 1_000;

/**
 * What the signer remembers outside the database: of each tree the last size and root that it signed, in a file that is only
 * appended to, and is on disk before anybody is shown the checkpoint.
 *
 * Each holder of the lease has a file of its own, and takes over what is in the others: so a holder that slept through the
 * end of its lease cannot write between the lines of its successor. What it still adds to its own file nobody is ever shown.
 * A line is a round; the last one of a file may be torn, and is left out.
 */
export class SignerMemory {
  private readonly signed = new Map<string, Map<number, Signed>>();
  private file: FileHandle | undefined;
  private liveBytes = 0;
  private grownBytes = 0;

  private constructor(
    private readonly directory: string,
    private readonly name: string,
  ) {}

  /** Reads what every holder before has remembered, and writes it to a file of this one. Throws SignerMemoryDamaged. */
  static async open(directory: string, holder: string): Promise<SignerMemory> {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const memory = new SignerMemory(directory, `${holder}${ENDING}`);
    const names = (await readdir(directory)).filter((name) => name.endsWith(ENDING));
    for (const name of names) {
      for (const each of parse(await readFile(join(directory, name), 'utf8'), name)) memory.keep(each);
    }
    await memory.compact();
    for (const name of names.filter((each) => each !== memory.name)) await unlink(join(directory, name));
    return memory;
  }

  /** Trees that something was signed of. */
  get size(): number {
    return [...this.signed.values()].reduce((sum, epochs) => sum + epochs.size, 0);
  }

  /** What was signed last of a tree. */
  last({ tenantId, epoch }: TreeKey): Signed | undefined {
    return this.signed.get(tenantId)?.get(epoch);
  }

  /** What was signed last of a tenant's newest tree. */
  newest(tenantId: string): Signed | undefined {
    const epochs = this.signed.get(tenantId);
    return epochs?.get(Math.max(...epochs.keys()));
  }

  /** Everything that is remembered. */
  all(): readonly Signed[] {
    return [...this.signed.values()].flatMap((epochs) => [...epochs.values()]);
  }

  /** Remembers; on disk when the promise is kept. After a failure the memory is closed, and has to be opened anew. */
  async append(entries: readonly Signed[]): Promise<void> {
    if (entries.length === 0) return;
    const { file } = this;
    if (!file) throw new Error('the memory of the signer is closed');
    try {
      const line = format(entries);
      await file.appendFile(line);
      await file.datasync();
      this.grownBytes += line.length;
    } catch (error) {
      await this.close();
      throw error;
    }
    for (const each of entries) this.keep(each);
    if (this.grownBytes > Math.max(GROWTH_MIN_BYTES, GROWTH_RATIO * this.liveBytes)) await this.compact();
  }

  async close(): Promise<void> {
    const { file } = this;
    this.file = undefined;
    await file?.close().catch(() => {}); // Nothing is pending on it: each line was synced or is in doubt.
  }

  private keep(entry: Signed): void {
    const epochs = this.signed.get(entry.tenantId) ?? new Map<number, Signed>();
    this.signed.set(entry.tenantId, epochs);
    const last = epochs.get(entry.epoch);
    if (!last || last.size <= entry.size) epochs.set(entry.epoch, entry);
  }

  private async compact(): Promise<void> {
    await this.close();
    const path = join(this.directory, this.name);
    const entries = this.all();
    const written = await open(`${path}.part`, 'w', 0o600);
    this.liveBytes = 0;
    for (let from = 0; from < entries.length; from += LINE_ENTRIES) {
      const line = format(entries.slice(from, from + LINE_ENTRIES));
      await written.appendFile(line);
      this.liveBytes += line.length;
    }
    await written.sync();
    await written.close();
    await rename(`${path}.part`, path);
    await syncDirectory(this.directory);
    this.grownBytes = 0;
    this.file = await open(path, 'a', 0o600);
  }
}

/** What all holders have remembered last of each tree, read beside them: for whoever compares the database with it. */
export async function readSignerMemory(directory: string): Promise<readonly Signed[]> {
  const names = (await readdir(directory)).filter((name) => name.endsWith(ENDING));
  const last = new Map<string, Signed>();
  for (const name of names) {
    for (const each of parse(await readFile(join(directory, name), 'utf8'), name)) {
      const tree = `${each.tenantId}/${each.epoch}`;
      if ((last.get(tree)?.size ?? 0) <= each.size) last.set(tree, each);
    }
  }
  return [...last.values()];
}

/** A rename is on disk when its directory is. */
async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

function format(entries: readonly Signed[]): string {
  const text = JSON.stringify(entries);
  return `${digestOf(text)} ${text}\n`;
}

const digestOf = (text: string): string => hash('sha256', text, 'hex').slice(0, DIGEST_LENGTH);

function parse(content: string, name: string): Signed[] {
  const lines = content.split('\n').filter(Boolean);
  return lines.flatMap((line, at) => {
    const text = line.slice(DIGEST_LENGTH + 1);
    if (line.startsWith(`${digestOf(text)} `)) return JSON.parse(text) as Signed[];
    if (at === lines.length - 1) return [];
    throw new SignerMemoryDamaged(
      `line ${at + 1} of ${name} in the signer's directory does not fit its digest`,
    );
  });
}
