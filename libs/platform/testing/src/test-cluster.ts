import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Database, migrate, setRolePasswords } from '@holdfast/database';
import { EmbeddedPostgres, freePort } from '@holdfast/embedded';
import { Client } from 'pg';

const PASSWORD = 'cluster';
/** While it recovers, a server answers and takes nothing. */
const RECOVERS = 'select 1 where pg_is_in_recovery()';

/** A PostgreSQL of a spec's own, whose files can be copied, put back and recovered. It stays on its port. */
export class TestCluster {
  private readonly opened: Database[] = [];

  private constructor(
    private readonly directory: string,
    private readonly port: number,
    private server: EmbeddedPostgres,
    private readonly settings: Readonly<Record<string, string>>,
  ) {}

  /** Starts and migrates a server. */
  static async create(settings: Readonly<Record<string, string>> = {}): Promise<TestCluster> {
    const directory = mkdtempSync(join(tmpdir(), 'holdfast-cluster-'));
    chmodSync(directory, 0o755); // The server runs as another user when we are root.
    const port = await freePort();
    const server = await start(directory, port, settings);
    await migrate(server.url());
    const roles = ['holdfast_app', 'holdfast_auth', 'holdfast_relay', 'holdfast_ops'];
    await setRolePasswords(server.url(), Object.fromEntries(roles.map((role) => [role, PASSWORD])));
    return new TestCluster(directory, port, server, settings);
  }

  /** A pool in a role, which outlives restarts; closed by `drop`. */
  as(role: string, connectionsMax = 4): Database {
    const url = new URL(this.server.url());
    [url.username, url.password] = [role, PASSWORD];
    const database = new Database({ url: url.href, name: 'test', connectionsMax, onIdleError: () => {} });
    this.opened.push(database);
    return database;
  }

  /** Connection string of the superuser. */
  url(): string {
    return this.server.url();
  }

  /** Runs SQL as the superuser. */
  async admin<Row>(text: string, values: readonly unknown[] = []): Promise<Row[]> {
    const client = new Client({ connectionString: this.server.url() });
    await client.connect();
    try {
      return (await client.query(text, [...values])).rows as Row[];
    } finally {
      await client.end();
    }
  }

  /** Stops the server, does something to its files, and starts it again. */
  async restart(between: () => void = () => {}): Promise<void> {
    await this.reopen(between);
    while ((await this.admin(RECOVERS)).length > 0) await sleep(20);
  }

  /** Restarts as a standby, which answers and takes no writes until it is promoted. */
  async standBy(): Promise<void> {
    await this.reopen(() => this.signal('standby.signal'));
  }

  /** Copies the files of the server, which has to stand still. */
  copy(): void {
    execFileSync('cp', ['-a', this.path('postgres'), this.path('copy')]);
  }

  /** Puts the copy in the place of the files. */
  putBack(): void {
    rmSync(this.path('postgres'), { recursive: true });
    execFileSync('mv', [this.path('copy'), this.path('postgres')]);
  }

  /** The files of the server, WAL included, that hold these bytes; those of a running server are written out first. */
  async filesWith(text: string): Promise<string[]> {
    await this.admin('checkpoint');
    const { stdout, status } = spawnSync('grep', ['-rlaF', text, this.path('postgres')], {
      encoding: 'utf8',
    });
    if (status !== 0 && status !== 1) throw new Error(`grep ended with ${status}`);
    return stdout.split('\n').filter(Boolean);
  }

  /** Has the next start recover to the end of the WAL, which ends on a further timeline, as each restore and promotion does. */
  recover(): void {
    this.signal('recovery.signal');
  }

  /** Closes the pools and removes the server. */
  async drop(): Promise<void> {
    await Promise.all(this.opened.map((database) => database.close()));
    await this.server.stop('immediate');
    rmSync(this.directory, { recursive: true, force: true });
  }

  private async reopen(between: () => void): Promise<void> {
    await this.server.stop();
    between();
    this.server = await start(this.directory, this.port, this.settings);
  }

  /** A file whose being there is all that counts; it has to be the server's. */
  private signal(name: string): void {
    execFileSync('cp', ['-a', this.path('postgres/PG_VERSION'), this.path(`postgres/${name}`)]);
  }

  private path(name: string): string {
    return join(this.directory, name);
  }
}

function start(
  directory: string,
  port: number,
  settings: Readonly<Record<string, string>>,
): Promise<EmbeddedPostgres> {
  const restore = { restore_command: '/bin/false', fsync: 'off', full_page_writes: 'off' };
  return EmbeddedPostgres.start({
    directory: join(directory, 'postgres'),
    port,
    password: PASSWORD,
    settings: { ...restore, shared_buffers: '32MB', ...settings },
  });
}
