import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { DevProcess, freshCheckout, lives, postgresPid, removeCheckout, type User } from './dev-process';

const root = resolve(__dirname, '../../..');
const isRoot = process.getuid?.() === 0;

/** The user without rights that every system has; undefined where it cannot be tried. */
function nobody(): User | undefined {
  if (!isRoot) return undefined;
  const idOf = (flag: string): number =>
    Number(spawnSync('id', [flag, 'nobody'], { encoding: 'utf8' }).stdout || '65534');
  const user = { uid: idOf('-u'), gid: idOf('-g') };
  const entered = spawnSync(process.execPath, ['--version'], { cwd: root, ...user });
  return entered.status === 0 ? user : undefined;
}

const user = nobody();
if (!isRoot) process.stdout.write('Starts as another user are left out: only root can become one.\n');
else if (!user) process.stdout.write('The start as nobody is left out: nobody cannot enter this checkout.\n');
const hasSetpriv = isRoot && spawnSync('setpriv', ['--version']).status === 0;
if (isRoot && !hasSetpriv)
  process.stdout.write('The start in a directory that only root may enter is left out: no setpriv.\n');

/** Starts, reads the table, stops; answers the owner of the cluster. */
async function startAndStop(checkout: string, as: Partial<User> = {}): Promise<number> {
  const dev = new DevProcess(checkout, ['dev', '--no-demo'], {}, as);
  const { api } = await dev.ready();
  expect((await fetch(`${api}/readyz`)).status).toBe(200);
  const owner = statSync(join(checkout, '.holdfast/postgres')).uid;
  const server = postgresPid(checkout);
  const { code, stdout } = await dev.signal('SIGINT');
  expect(code).toBe(0);
  expect(stdout).toContain('Holdfast runs.');
  expect(server !== undefined && lives(server)).toBe(false);
  return owner;
}

(user ? describe : describe.skip)('holdfast dev as an ordinary user', () => {
  const checkout = freshCheckout();
  afterAll(() => removeCheckout(checkout));

  test('starts and stops, twice', async () => {
    chownSync(checkout, user!.uid, user!.gid);
    expect(await startAndStop(checkout, user)).toBe(user!.uid);
    expect(await startAndStop(checkout, user)).toBe(user!.uid);
  });
});

(hasSetpriv ? describe : describe.skip)('holdfast dev as root, where no other user may enter', () => {
  const checkout = freshCheckout();
  afterAll(() => removeCheckout(checkout));

  test('starts and stops, twice', async () => {
    chmodSync(checkout, 0o700);
    // The server runs as another user all the same: PostgreSQL refuses root.
    expect(await startAndStop(checkout)).not.toBe(0);
    expect(await startAndStop(checkout)).not.toBe(0);
  });
});
