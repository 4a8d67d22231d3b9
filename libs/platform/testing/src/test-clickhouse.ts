import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type ClickHouseConnection,
  ClickHouseFront,
  type ClickHouseFrontOptions,
  openChdb,
} from '@holdfast/embedded';

/** Ways to a ClickHouse: in this process, over HTTP to this process, and the server that CLICKHOUSE_URL names. */
export type ClickHouseKind = 'chdb' | 'front' | 'server';

/**
 * The ClickHouse that a spec file works with. chDB gets a directory of the file's own; a server is shared, which does
 * no harm, since every test has its own tenant.
 */
export class TestClickHouse {
  private constructor(
    /** What a client is made of. */
    readonly endpoint: { readonly url: string } | { readonly connection: ClickHouseConnection },
    private readonly release: () => Promise<void>,
  ) {}

  /** The kinds that this run can test: the server only when CLICKHOUSE_URL names one. */
  static kinds(): readonly ClickHouseKind[] {
    return process.env['CLICKHOUSE_URL'] ? ['chdb', 'front', 'server'] : ['chdb', 'front'];
  }

  /** Opens one. chDB takes one directory at a time, so a file closes each before it opens the next. */
  static async open(kind: ClickHouseKind, front: ClickHouseFrontOptions = {}): Promise<TestClickHouse> {
    const url = process.env['CLICKHOUSE_URL'];
    if (kind === 'server' && url) return new TestClickHouse({ url }, async () => {});
    const directory = mkdtempSync(join(tmpdir(), 'holdfast-chdb-'));
    const connection = await openChdb(directory);
    const listening = kind === 'front' ? await ClickHouseFront.start(connection, front) : undefined;
    return new TestClickHouse(listening ? { url: listening.url } : { connection }, async () => {
      await listening?.close();
      await connection.close();
      rmSync(directory, { recursive: true, force: true });
    });
  }

  /** Frees the directory. Clients are closed first. */
  close(): Promise<void> {
    return this.release();
  }
}
