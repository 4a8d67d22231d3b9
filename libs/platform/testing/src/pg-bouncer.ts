import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '@holdfast/embedded';

const PROGRAM = 'pgbouncer';
/** Debian keeps it where only root's PATH leads. */
const PATH = `${process.env['PATH']}:/usr/sbin`;

/** Whether there is a PgBouncer on this machine. */
export function hasPgBouncer(): boolean {
  return spawnSync(PROGRAM, ['--version'], { env: { PATH } }).status === 0;
}

/** What stands behind the PgBouncer of a test, and who may go through it. */
export interface PgBouncerOptions {
  /** A connection string of the server and database behind it; its user and password are not used. */
  readonly serverUrl: string;
  readonly passwords: Readonly<Record<string, string>>;
  /** Connections to the server for each role, which all clients of the role share. */
  readonly serverConnections: number;
}

/** A PgBouncer in transaction mode, as deploy/README.md configures it, in front of one database. */
export class PgBouncer {
  private constructor(
    private readonly process: ChildProcess,
    private readonly directory: string,
    readonly port: number,
  ) {}

  /** Starts one on a free port and returns when it listens. Throws with its log when it does not. */
  static async start(options: PgBouncerOptions): Promise<PgBouncer> {
    const directory = mkdtempSync(join(tmpdir(), 'holdfast-pgbouncer-'));
    const port = await freePort();
    const users = Object.entries(options.passwords).map(([role, password]) => `"${role}" "${password}"`);
    writeFileSync(join(directory, 'userlist.txt'), `${users.join('\n')}\n`, { mode: 0o600 });
    writeFileSync(join(directory, 'pgbouncer.ini'), settings(options, directory, port), { mode: 0o600 });
    const identity = unprivileged();
    if (identity) {
      for (const file of ['.', 'userlist.txt', 'pgbouncer.ini'])
        chownSync(join(directory, file), identity.uid, identity.gid);
    }
    chmodSync(directory, 0o700);
    const child = spawn(PROGRAM, [join(directory, 'pgbouncer.ini')], {
      ...identity,
      cwd: '/',
      env: { PATH },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    const bouncer = new PgBouncer(child, directory, port);
    let log = '';
    for await (const chunk of child.stderr ?? []) {
      log += String(chunk);
      if (log.includes('process up')) break;
    }
    child.stderr?.resume();
    if (!log.includes('process up')) {
      await bouncer.stop();
      throw new Error(`PgBouncer did not start:\n${log}`);
    }
    return bouncer;
  }

  /** Ends it at once, with the connections through it. */
  async stop(): Promise<void> {
    if (this.process.exitCode === null && this.process.signalCode === null) {
      const gone = once(this.process, 'exit');
      this.process.kill('SIGKILL');
      await gone;
    }
    rmSync(this.directory, { recursive: true, force: true });
  }
}

function settings(
  { serverUrl, serverConnections }: PgBouncerOptions,
  directory: string,
  port: number,
): string {
  const { hostname, port: serverPort, pathname } = new URL(serverUrl);
  const database = pathname.slice(1);
  return `[databases]
${database} = host=${hostname} port=${serverPort || 5432} dbname=${database}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = ${join(directory, 'userlist.txt')}
pool_mode = transaction
default_pool_size = ${serverConnections}
max_client_conn = 200
log_connections = 0
log_disconnections = 0
`;
}

/** PgBouncer refuses to run as root; as any other user it runs as that one. */
function unprivileged(): { readonly uid: number; readonly gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const line = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find((entry) => entry.startsWith('nobody:'));
  const [, , uid = '65534', gid = '65534'] = line?.split(':') ?? [];
  return { uid: Number(uid), gid: Number(gid) };
}
