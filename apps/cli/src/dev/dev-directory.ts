import { accessSync, constants, existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { stopLeftover } from '@holdfast/embedded';

/** The directory cannot be used; the message says what to do. */
export class DevRefused extends Error {
  override readonly name = 'DevRefused';
}

/** What `--reset` keeps: the lock, which this process holds. */
const KEPT = new Set(['dev.lock']);

/** Makes the data directory where it is missing and answers its absolute path. */
export function openDevDirectory(name: string): string {
  const directory = resolve(name);
  try {
    // Others may pass through it: PostgreSQL runs as a user of its own when we are root. Each secret has its own mode.
    mkdirSync(directory, { recursive: true, mode: 0o755 });
    accessSync(directory, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new DevRefused(
      `${directory} cannot be written to (${code}). It may belong to another user, root say: remove it, or set HOLDFAST_DIRECTORY.`,
      { cause: error },
    );
  }
  return directory;
}

/** Where the embedded PostgreSQL keeps its cluster. */
export const postgresIn = (directory: string): string => join(directory, 'postgres');
/** Where ClickHouse in process keeps its tables. */
export const clickhouseIn = (directory: string): string => join(directory, 'clickhouse');

/** Where the sealer remembers what it has signed. */
export const signerIn = (directory: string): string => join(directory, 'signer');

/** Where the keys of tenants' personal values are. */
export const vaultIn = (directory: string): string => join(directory, 'vault');

/** Where ingest keeps what a store has not taken, and the list of revoked write keys. */
export const ingestIn = (directory: string): string => join(directory, 'ingest');

/** Removes everything, so that the next start is a first one. A server left behind by a killed process is stopped first. */
export async function resetDevDirectory(directory: string): Promise<void> {
  if (existsSync(postgresIn(directory))) await stopLeftover(postgresIn(directory));
  for (const name of readdirSync(directory)) {
    if (!KEPT.has(name)) rmSync(join(directory, name), { recursive: true, force: true });
  }
}
