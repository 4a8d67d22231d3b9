import { randomUUID } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const FILE = 'ingest-id';
const ID = /^[0-9a-f-]{36}$/;

/**
 * The name that Kafka tells this ingest apart by: the same after a restart, so that a batch whose answer the process before did not hear is
 * found, and of no other, which would end this one's transactions. It belongs to the directory, as the segments do: hosts may have
 * several, and a container's host name is another one each time. Without a directory that outlasts the process it is new.
 */
export function senderNameOf(prefix: string, directory: string): string {
  return `${prefix}.ingest.${idIn(directory)}`;
}

function idIn(directory: string): string {
  const file = join(directory, FILE);
  const known = read(file);
  if (ID.test(known)) return known;
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const id = randomUUID();
  // In one piece: half an id would be none, and what was sent under it would not be found.
  writeFileSync(`${file}.new`, id, { mode: 0o600, flush: true });
  renameSync(`${file}.new`, file);
  return id;
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw error;
  }
}
