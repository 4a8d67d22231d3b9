import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { freePort, hasRedisServer, startRedis, stopRedis } from '@holdfast/testing';

/** Lets Node run the sources as they are: it strips types, and looks for `./backend` under its file's name, and for libs in their folders. */
const LIBS = pathToFileURL(join(__dirname, '../../..')).href;
const HOOK = `import { registerHooks } from 'node:module';
const files = (name) => name.startsWith('@holdfast/')
  ? ['', 'platform/'].map((folder) => '${LIBS}/' + folder + name.slice('@holdfast/'.length) + '/src/index.ts')
  : [name, name + '.ts'];
registerHooks({ resolve(name, context, next) {
  const [first, second] = files(name);
  try { return next(first, context); } catch { return next(second, context); }
} });`;
const FLAGS = [
  '--experimental-transform-types',
  '--no-warnings',
  '--import',
  `data:text/javascript,${encodeURIComponent(HOOK)}`,
];
const PROCESS = join(__dirname, '../test/working-process.ts');
/** Answers that are waited for take a second each, closing two of them; a machine under load takes its time to begin. */
const EXIT_WITHIN_MS = 8_000;

interface Run {
  readonly child: ChildProcess;
  readonly output: () => string;
  readonly stderr: () => string;
}

function run(url: string, workMs: number): Run {
  const child = spawn(process.execPath, [...FLAGS, PROCESS, url, String(workMs)]);
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (chunk) => (stdout += String(chunk)));
  child.stderr.on('data', (chunk) => (stderr += String(chunk)));
  return { child, output: () => stdout, stderr: () => stderr };
}

async function until(condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 15_000;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error('it did not come true within 15 s');
    await sleep(5);
  }
}

/** Asks the process to stop; its exit code, or undefined when it has to be killed. */
async function stop({ child }: Run): Promise<number | undefined> {
  const exited = once(child, 'exit') as Promise<[number | null]>;
  child.kill('SIGTERM');
  const ended = await Promise.race([exited, sleep(EXIT_WITHIN_MS, undefined, { ref: false })]);
  child.kill('SIGKILL');
  await exited;
  return ended?.[0] ?? undefined;
}

const describeWithRedis = hasRedisServer() ? describe : describe.skip;
if (!hasRedisServer()) process.stdout.write('Closing without Redis is left out: no redis-server on PATH.\n');

// A worker whose Redis has died ends all the same: no connection tries again, and no timer is left.
describeWithRedis('A process with a queue on Redis', () => {
  let port: number;
  let url: string;
  let server: ChildProcess;
  beforeEach(async () => {
    port = await freePort();
    url = `redis://127.0.0.1:${port}`;
    server = await startRedis(port);
  });
  afterEach(async () => {
    if (server.exitCode === null && server.signalCode === null) await stopRedis(server);
  });

  it('ends by itself after closing', async () => {
    const working = run(url, 0);
    await until(() => working.output().includes('done a'));
    expect(await stop(working)).toBe(0);
    expect(working.output()).toBe('woken a\ndone a\nclosed\n');
  });

  it.each([
    ['died while it waited for work', 0, 1_500],
    ['died while it worked', 2_500, 500],
  ])('ends by itself when Redis has %s', async (_name, workMs, untilStopMs) => {
    const working = run(url, workMs);
    await until(() => working.output().includes(workMs > 0 ? 'woken a' : 'done a'));
    await stopRedis(server);
    await until(() => working.output().includes('reported'));
    await sleep(untilStopMs);
    expect(await stop(working)).toBe(0);
    expect(working.output()).toMatch(/done a[^]*closed\n$/);
    expect(working.stderr()).toBe('');
  });

  it('ends by itself when Redis has stopped to answer', async () => {
    const working = run(url, 500);
    await until(() => working.output().includes('woken a'));
    server.kill('SIGSTOP');
    expect(await stop(working)).toBe(0);
    expect(working.output()).toMatch(/done a[^]*closed\n$/);
  });

  it('ends by itself when Redis was never there', async () => {
    await stopRedis(server);
    const working = run(url, 0);
    await until(() => working.output().includes('refused'));
    expect(await stop(working)).toBe(0);
    expect(working.stderr()).toBe('');
  });
});
