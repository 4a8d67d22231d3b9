import { rmSync } from 'node:fs';

/** Stops what `global-setup` started. */
export async function globalTeardown(): Promise<void> {
  const started = globalThis.testPostgres;
  await started?.server.stop('immediate');
  for (const directory of [started?.directory, globalThis.testMemory])
    if (directory) rmSync(directory, { recursive: true, force: true });
}
