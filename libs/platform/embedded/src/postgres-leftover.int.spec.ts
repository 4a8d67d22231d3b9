import { existsSync, mkdtempSync, chmodSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EmbeddedPostgres } from './embedded-postgres';
import { stopLeftover } from './postgres-leftover';

describe('a PostgreSQL that was left behind', () => {
  let parent = '';
  let directory = '';
  const start = (): Promise<EmbeddedPostgres> => EmbeddedPostgres.start({ directory, password: 'left' });
  beforeEach(() => {
    parent = mkdtempSync(join(tmpdir(), 'holdfast-left-'));
    chmodSync(parent, 0o755);
    directory = join(parent, 'postgres');
  });
  afterEach(() => rmSync(parent, { recursive: true, force: true, maxRetries: 5 }));

  it('is stopped when it runs, and the next one starts on its data', async () => {
    const left = await start();
    const next = await start();
    expect(next.pid).not.toBe(left.pid);
    await next.stop();
  });

  it('does not keep the next one from starting when it was killed', async () => {
    const left = await start();
    process.kill(left.pid, 'SIGKILL');
    const next = await start();
    await next.stop();
  });

  it('leaves another program alone that has its number, and takes the stale file away', async () => {
    const left = await start();
    await left.stop();
    writeFileSync(join(directory, 'postmaster.pid'), `${process.pid}\n${directory}\n`);
    await stopLeftover(directory);
    expect(existsSync(join(directory, 'postmaster.pid'))).toBe(false);
    const next = await start();
    await next.stop();
  });
});
