import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { gunzip, gzip } from 'node:zlib';
import { announcement, type TenantTx } from '@holdfast/tenancy';
import type { Outcome, TaskKindOfWork, TaskRun } from '@holdfast/tasks';
import { digestOf } from './export-manifest';
import type { ExportFileView } from './export-view';
import { exportCompleted, exportExpired, exportFailed } from './exports.events';
import {
  deleteChunks,
  findChunk,
  getExportHead,
  insertChunk,
  listExportTables,
  readExportPage,
  updateExport,
} from './exports.sql';

/** How far an export is: before `tables` is set nothing is read, behind the last of them all of it. */
export interface ExportProgress {
  readonly tables?: readonly string[];
  /** The table that is being read, where in it, and how many chunks it has. */
  readonly at: number;
  readonly after: string | null;
  readonly part: number;
  /** Files whose digests are made. */
  readonly sealed: readonly ExportFileView[];
  readonly isComplete?: boolean;
}

/** Few enough rows that a transaction stays short, and bytes that two workers with four exports each have in memory. */
const PAGE_MAX = { rows: 1_000, bytes: 4_194_304 };
/** How long the files can be downloaded. */
const KEPT_SECONDS = 7 * 86_400;
const CHUNKS_REMOVED_AT_A_TIME = 100;
const ATTEMPTS_MAX = 20;

const compress = promisify(gzip);
const decompress = promisify(gunzip);

/**
 * Writes exports, one chunk in a transaction; what is read and how far it is commit together. Not one snapshot of the
 * tenant: what is written meanwhile may be in one table and, of the same change, not in another. Suspend the tenant first
 * where that matters.
 */
export class ExportTask implements TaskKindOfWork<ExportProgress> {
  readonly kind = 'export';
  readonly consumer = 'exporter';
  readonly attemptsMax = ATTEMPTS_MAX;

  async step(run: TaskRun<ExportProgress>): Promise<void> {
    const { tables, at, sealed, isComplete } = run.progress;
    if (isComplete) await run.commit((tx, progress) => this.expire(tx, run.id, progress));
    else if (!tables) await run.commit((tx) => this.begin(tx, run.id));
    else if (at < tables.length) await run.commit((tx, progress) => this.readPage(tx, run.id, progress));
    else if (sealed.length < tables.length) await this.seal(run, tables[sealed.length] ?? '');
    else await run.commit((tx, progress) => this.complete(tx, run.id, progress));
  }

  async abandon(tx: TenantTx, id: string): Promise<void> {
    await updateExport(tx, id, { status: 'failed' });
    await tx.announce(announcement(exportFailed, { id, version: 2n }, {}));
  }

  private async begin(tx: TenantTx, id: string): Promise<Outcome<ExportProgress>> {
    const tables = await listExportTables(tx);
    const rowsTotal = tables.reduce((sum, { rowCount }) => sum + rowCount, 0n);
    await updateExport(tx, id, { status: 'running', rowsTotal });
    const names = tables.map(({ relation }) => relation);
    return { progress: { tables: names, at: 0, after: null, part: 0, sealed: [] } };
  }

  private async readPage(
    tx: TenantTx,
    id: string,
    progress: ExportProgress,
  ): Promise<Outcome<ExportProgress>> {
    const { tables = [], at, after, part } = progress;
    const table = tables[at] ?? '';
    const rows = await readExportPage(tx, table, after, PAGE_MAX);
    const last = rows.at(-1);
    if (!last) return { progress: { ...progress, at: at + 1, after: null, part: 0 } };
    const text = Buffer.from(rows.map(({ line }) => `${line}\n`).join(''));
    await insertChunk(tx, id, { file: fileOf(table), part, rows: rows.length, body: await compress(text) });
    await updateExport(tx, id, { rows: rows.length, bytes: text.length });
    return { progress: { ...progress, after: last.place, part: part + 1 } };
  }

  /** Makes the digest of one file, from what is stored of it: the state of a digest cannot be kept from step to step. */
  private async seal(run: TaskRun<ExportProgress>, table: string): Promise<void> {
    const name = fileOf(table);
    const digest = createHash('sha256');
    let rows = 0;
    let bytes = 0;
    for (let part = 0; ; part += 1) {
      const chunk = await run.read((tx) => findChunk(tx, run.id, name, part));
      if (!chunk) break;
      const text = await decompress(chunk.body);
      digest.update(text);
      rows += chunk.rows;
      bytes += text.length;
    }
    const file = { name, table, rows, bytes, sha256: digest.digest('hex') };
    await run.commit(async (_tx, progress) => ({
      progress: { ...progress, sealed: [...progress.sealed, file] },
    }));
  }

  private async complete(
    tx: TenantTx,
    id: string,
    progress: ExportProgress,
  ): Promise<Outcome<ExportProgress>> {
    const { slug, requestedAt } = await getExportHead(tx, id);
    const files = [...progress.sealed];
    const sha256 = digestOf(files);
    const head = { format: 'holdfast-export/1', exportId: id, tenantId: tx.tenantId, slug } as const;
    const manifest = { ...head, requestedAt: requestedAt.toISOString(), files, sha256 };
    await updateExport(tx, id, { status: 'completed', manifest, keptSeconds: KEPT_SECONDS });
    await tx.announce(announcement(exportCompleted, { id, version: 2n }, { sha256 }));
    return { progress: { ...progress, isComplete: true }, waitSeconds: KEPT_SECONDS };
  }

  private async expire(tx: TenantTx, id: string, progress: ExportProgress): Promise<Outcome<ExportProgress>> {
    if ((await deleteChunks(tx, id, CHUNKS_REMOVED_AT_A_TIME)) > 0) return { progress };
    await updateExport(tx, id, { status: 'expired' });
    await tx.announce(announcement(exportExpired, { id, version: 3n }, {}));
    return { done: true };
  }
}

function fileOf(table: string): string {
  return `${table}.ndjson`;
}
