import { execFile } from 'node:child_process';
import { join } from 'node:path';

interface Ended {
  readonly code: number;
  readonly log: string;
}

/** Runs a process whose start and stop are the given bodies, and sends it SIGTERM once it says that it runs. */
function run(start: string, stop: string): Promise<Ended> {
  const program = `
    import pino from 'pino';
    import { runProcess } from ${JSON.stringify(join(__dirname, 'run-process.ts'))};
    const keep = setInterval(() => {}, 1000);
    runProcess(pino(), async () => { ${start}; setTimeout(() => process.stderr.write('runs'), 50); return async () => { ${stop} }; });`;
  const flags = ['--disable-warning=MODULE_TYPELESS_PACKAGE_JSON', '--input-type=module', '-e', program];
  return new Promise((resolve) => {
    const child = execFile(process.execPath, flags, (error, log) => {
      resolve({ code: typeof error?.code === 'number' ? error.code : 0, log });
    });
    child.stderr?.on('data', (text) => String(text).includes('runs') && child.kill('SIGTERM'));
  });
}

describe('runProcess', () => {
  it('ends with 0 after a stop in good order', async () => {
    expect(await run('', 'clearInterval(keep)')).toMatchObject({
      code: 0,
      log: expect.stringContaining('has stopped'),
    });
  });

  it('ends with 1, and says why, when the stop fails', async () => {
    const { code, log } = await run('', "throw new Error('stuck drawer')");
    expect([code, log.includes('failed to stop'), log.includes('stuck drawer')]).toEqual([1, true, true]);
  });

  it('ends with 1, and says why, when it cannot start', async () => {
    const { code, log } = await run("throw new Error('no fuel')", '');
    expect([code, log.includes('could not start'), log.includes('no fuel')]).toEqual([1, true, true]);
  });
});
