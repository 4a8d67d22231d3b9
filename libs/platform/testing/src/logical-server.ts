import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EmbeddedPostgres } from '@holdfast/embedded';
import { prepareTemplate, TestDatabase } from './test-database';

/** A PostgreSQL of the spec's own with `wal_level = logical`, which that of the run has no need of, and a database on it. */
export class LogicalServer {
  private constructor(
    readonly database: TestDatabase,
    private readonly server: EmbeddedPostgres,
    private readonly directory: string,
  ) {}

  static async start(): Promise<LogicalServer> {
    const directory = mkdtempSync(join(tmpdir(), 'holdfast-logical-'));
    chmodSync(directory, 0o755); // The server runs as another user when the tests run as root.
    const server = await EmbeddedPostgres.start({
      directory: join(directory, 'postgres'),
      password: 'holdfast',
      settings: { fsync: 'off', wal_level: 'logical' },
    });
    await prepareTemplate(server.url());
    const database = await TestDatabase.createFor({ route: 'directly' }, undefined, server.url());
    return new LogicalServer(database, server, directory);
  }

  /** The port of 127.0.0.1 that it listens on. */
  get port(): number {
    return this.server.port;
  }

  async close(): Promise<void> {
    await this.database.drop();
    await this.server.stop('immediate');
    rmSync(this.directory, { recursive: true, force: true });
  }
}
