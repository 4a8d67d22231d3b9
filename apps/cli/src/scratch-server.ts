import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EmbeddedPostgres } from '@holdfast/embedded';

/** Runs work on an empty PostgreSQL that is there for it alone, and removes it afterwards. */
export async function onScratchServer<T>(
  settings: Readonly<Record<string, string>>,
  work: (adminUrl: string) => Promise<T>,
): Promise<T> {
  const directory = mkdtempSync(join(tmpdir(), 'holdfast-scratch-'));
  chmodSync(directory, 0o755); // The server runs as another user when we are root.
  const server = await EmbeddedPostgres.start({
    directory: join(directory, 'postgres'),
    password: 'scratch',
    settings,
  });
  // Not even when an error that nobody caught ends the process may the server stay behind.
  const kill = (): void => void process.kill(server.pid, 'SIGQUIT');
  process.once('exit', kill);
  try {
    return await work(server.url());
  } finally {
    await server.stop('immediate');
    process.off('exit', kill);
    rmSync(directory, { recursive: true, force: true });
  }
}
