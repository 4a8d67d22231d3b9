import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const root = resolve(__dirname, '../../..');
const BUILDS = 'node_modules/.cache/holdfast';

/** A program that says which version it is of, and for `api` once more, from a second file, when it is let go on. */
const main = (version: number): string => `
  console.log('main ${version}');
  if (process.argv[2] === 'api') process.stdin.once('data', async () => (await import('./later.js')).say());
`;
const later = (version: number): string =>
  `export const say = () => { console.log('later ${version}'); process.exit(); };`;

describe('The build of a checkout', () => {
  let checkout = '';
  const inCheckout = (...names: string[]): string => join(checkout, ...names);

  /** Saves both sources, so that they are newer than any build. */
  function save(version: number, text = main(version)): void {
    writeFileSync(inCheckout('apps/cli/src/main.ts'), text);
    writeFileSync(inCheckout('apps/cli/src/later.ts'), later(version));
  }

  function start(program: string, ...words: string[]): ChildProcess & { printed: string } {
    const child = spawn(process.execPath, [inCheckout('apps/cli/bin', program), ...words]);
    const running = Object.assign(child, { printed: '' });
    child.stdout.on('data', (chunk) => (running.printed += String(chunk)));
    child.stderr.on('data', (chunk) => (running.printed += String(chunk)));
    return running;
  }

  async function run(program: string, ...words: string[]): Promise<[code: number, printed: string]> {
    const child = start(program, ...words);
    const [code] = (await once(child, 'close')) as [number];
    return [code, child.printed.trim()];
  }
  const holdfast = (...words: string[]): ReturnType<typeof run> => run('holdfast.js', ...words);
  const builds = (): string[] =>
    readdirSync(inCheckout(BUILDS), { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => name);

  beforeEach(() => {
    checkout = mkdtempSync(join(tmpdir(), 'holdfast-build-'));
    for (const name of ['nest-cli.json', 'tsconfig.json', 'tsconfig.base.json', '.swcrc', 'apps/cli/bin'])
      cpSync(join(root, name), inCheckout(name), { recursive: true });
    for (const folder of ['apps/cli/src', 'libs', 'node_modules']) mkdirSync(inCheckout(folder));
    for (const name of readdirSync(join(root, 'node_modules')).filter((each) => each !== '.cache'))
      symlinkSync(join(root, 'node_modules', name), inCheckout('node_modules', name));
    save(1);
  });
  afterEach(() => rmSync(checkout, { recursive: true }));

  test('is made once when it is missing, by however many verbs start at once', async () => {
    const all = await Promise.all([1, 2, 3, 4].map(() => holdfast('doctor')));
    expect(all).toEqual(Array.from({ length: 4 }, () => [0, 'main 1']));
    expect(builds()).toHaveLength(1);
  });

  test('is made anew by `dev` alone, and not by another verb, whatever is being edited', async () => {
    await holdfast('doctor');
    save(2, 'half a sa(');
    expect(await holdfast('doctor')).toEqual([0, 'main 1']);
    const [code, printed] = await holdfast('dev');
    expect([code, printed]).toEqual([1, expect.stringContaining('The build failed.') as string]);
    expect(await holdfast('doctor')).toEqual([0, 'main 1']);
    save(3);
    expect(await Promise.all([holdfast('dev'), holdfast('dev')])).toEqual([
      [0, 'main 3'],
      [0, 'main 3'],
    ]);
    // Of 1 and of 3: the two starts shared one.
    expect(builds()).toHaveLength(2);
    expect(await holdfast('doctor')).toEqual([0, 'main 3']);
  });

  test('does not change under a process that runs from it', async () => {
    await holdfast('doctor');
    const running = start('holdfast.js', 'api');
    while (!running.printed.includes('main 1')) await once(running.stdout!, 'data');
    save(2);
    expect(await run('build.js')).toEqual([0, '']);
    expect(await holdfast('doctor')).toEqual([0, 'main 2']);
    running.stdin!.write('go on\n');
    await once(running, 'close');
    expect(running.printed).toContain('later 1');
  });

  test('takes the place of a directory, and goes an hour after it was replaced', async () => {
    await holdfast('doctor');
    const first = realpathSync(inCheckout('dist'));
    cpSync(first, inCheckout('copy'), { recursive: true });
    rmSync(inCheckout('dist'));
    cpSync(inCheckout('copy'), inCheckout('dist'), { recursive: true });
    const longAgo = new Date(Date.now() - 2 * 3_600_000);
    for (const old of [first, inCheckout('dist')]) utimesSync(old, longAgo, longAgo);
    save(2);
    expect(await run('build.js')).toEqual([0, '']);
    expect(await holdfast('doctor')).toEqual([0, 'main 2']);
    expect(existsSync(first)).toBe(false);
    expect(builds().toSorted()).toEqual([expect.any(String), expect.stringMatching(/replaced$/)]);
  });

  test('is made although a builder was killed', async () => {
    mkdirSync(inCheckout(BUILDS), { recursive: true });
    const gone = spawn(process.execPath, ['-e', '']);
    await once(gone, 'exit');
    writeFileSync(inCheckout(BUILDS, 'lock'), String(gone.pid));
    expect(await holdfast('doctor')).toEqual([0, 'main 1']);
    expect(existsSync(inCheckout(BUILDS, 'lock'))).toBe(false);
  });
});
