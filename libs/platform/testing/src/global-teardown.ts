import { rmSync } from 'node:fs';

/** Stops what `global-setup` started. */
export async function globalTeardown(): Promise<void> {
  const started = globalThis.testPostgres;
  if (!started) return;
  await started.server.stop('immediate');
  rmSync(started.directory, { recursive: true, force: true });
}
