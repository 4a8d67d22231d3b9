import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** A tenant of the demo, with the keys that its table shows. */
export interface DemoTenant {
  readonly id: string;
  readonly slug: string;
  /** An API key that may do everything in the tenant. */
  readonly adminKey: string;
  /** A public key that may only send telemetry; null in a demo that was not completed. */
  readonly writeKey: string | null;
}

/** What `.holdfast/dev.json` holds while `holdfast dev` runs. A public contract: other tools read it. */
export interface DevFile {
  readonly api: string;
  readonly ingest: string;
  readonly metrics: string;
  readonly docs: string;
  readonly graphql: string;
  /** Connection strings of the superuser and of the role that runs business SQL. */
  readonly database: { readonly admin: string; readonly app: string };
  readonly tenants: readonly DemoTenant[];
}

const fileIn = (directory: string): string => join(directory, 'dev.json');

/** The file of the process that runs in the directory; undefined when none does. */
export function readDevFile(directory: string): DevFile | undefined {
  try {
    return JSON.parse(readFileSync(fileIn(directory), 'utf8')) as DevFile;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Writes the file in one piece: who waits for it never reads half of it. It holds passwords, so only its owner may read. */
export function writeDevFile(directory: string, contents: DevFile): void {
  const draft = `${fileIn(directory)}.${process.pid}`;
  writeFileSync(draft, `${JSON.stringify(contents, null, 2)}\n`, { mode: 0o600 });
  renameSync(draft, fileIn(directory));
}

/** The system does not run any more. */
export function removeDevFile(directory: string): void {
  rmSync(fileIn(directory), { force: true });
}
