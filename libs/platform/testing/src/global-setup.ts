import { mkdtempSync, chmodSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EmbeddedPostgres } from '@holdfast/embedded';
import { makeMemoryDirectory } from './memory-directory';
import { prepareTemplate } from './test-database';

declare global {
  var testPostgres: { readonly server: EmbeddedPostgres; readonly directory: string } | undefined;
  var testMemory: string | undefined;
}

/**
 * Connection strings that are set and that a run makes no use of, because the administrator's is not: only an
 * administrator can make a database for every spec file.
 */
export function ignoredVariables(environment: Readonly<Record<string, string | undefined>>): string[] {
  if (environment['DATABASE_ADMIN_URL']) return [];
  return Object.keys(environment).filter((name) => /^DATABASE_(\w+_)?URL$/.test(name) && environment[name]);
}

/**
 * Starts one PostgreSQL for the whole run (or takes the one of DATABASE_ADMIN_URL) and migrates a template database,
 * from which every spec file copies its own.
 */
export async function globalSetup(): Promise<void> {
  const ignored = ignoredVariables(process.env);
  if (ignored.length > 0) {
    // Whoever has set them may believe that their server is being tested.
    process.stderr.write(
      `The tests start a PostgreSQL of their own: they make no use of ${ignored.join(', ')}. For a server of yours set DATABASE_ADMIN_URL.\n`,
    );
  }
  globalThis.testMemory = makeMemoryDirectory();
  // Specs and the processes that they start make their directories where this says.
  if (globalThis.testMemory) {
    process.env['TMPDIR'] = globalThis.testMemory;
    // Hundreds of processes load the same two thousand files: what one has compiled the next one reads.
    process.env['NODE_COMPILE_CACHE'] = join(globalThis.testMemory, 'compiled');
  }
  if (!process.env['DATABASE_ADMIN_URL']) {
    const directory = mkdtempSync(join(tmpdir(), 'holdfast-test-'));
    chmodSync(directory, 0o755); // The server runs as another user when the tests run as root.
    // Durability is not what these tests are about: the ones that kill servers start their own.
    const settings = { fsync: 'off', full_page_writes: 'off', max_connections: '300' };
    const server = await EmbeddedPostgres.start({
      directory: join(directory, 'postgres'),
      password: 'holdfast',
      settings,
    });
    globalThis.testPostgres = { server, directory };
    process.env['HOLDFAST_TEST_ADMIN_URL'] = server.url();
  } else {
    process.env['HOLDFAST_TEST_ADMIN_URL'] = process.env['DATABASE_ADMIN_URL'];
  }
  await prepareTemplate(process.env['HOLDFAST_TEST_ADMIN_URL']);
}
