import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { gunzip, gzip } from 'node:zlib';
import type { Outcome, TaskKindOfWork, TaskRun } from '@holdfast/tasks';
import { announcement, type TenantTx } from '@holdfast/tenancy';
import { showAuditEvent } from '../trail/audit-event-view';
import { beginBundle, type BundleProgress, continueBundle } from '../verification/bundle';
import { auditExportCompleted, auditExportExpired, auditExportFailed } from './audit-exports.events';
import {
  deleteAuditChunks,
  type ExportFilters,
  findAuditChunk,
  getExportOrder,
  insertAuditChunk,
  readEventsToExport,
  updateAuditExport,
} from './audit-exports.sql';
import { csvEvent, csvHeader } from './event-csv';

type Progress =
  | { readonly state?: undefined }
  | {
      readonly state: 'events';
      readonly format: 'ndjson' | 'csv';
      readonly filters: ExportFilters;
      readonly through: string;
      readonly after: string;
      readonly bytes: number;
    }
  | { readonly state: 'bundle'; readonly bundle: BundleProgress; readonly bytes: number }
  | { readonly state: 'written'; readonly bytes: number }
  | { readonly state: 'complete' };

/** Bytes of a file that the next step writes, the events in them, and how far it is then. */
interface Piece {
  readonly bytes: Buffer;
  readonly rows: number;
  readonly next: Progress;
}

const PAGE_SIZE = 1_000;
/** How long the file can be downloaded. */
const KEPT_SECONDS = 7 * 86_400;
const CHUNKS_REMOVED_AT_A_TIME = 100;
const ATTEMPTS_MAX = 20;

const compress = promisify(gzip);
const decompress = promisify(gunzip);

/**
 * Writes exports of the trail, a piece in a transaction. A bundle's size is fixed by its first piece; NDJSON and CSV end with
 * the newest event of when they began, and leave out an earlier one that commits while they are written.
 */
export class AuditExportTask implements TaskKindOfWork<Progress> {
  readonly kind = 'audit-export';
  readonly consumer = 'exporter';
  readonly attemptsMax = ATTEMPTS_MAX;

  /** `log` is AUDIT_LOG_NAME. */
  constructor(private readonly options: { readonly log: string }) {}

  async step(run: TaskRun<Progress>): Promise<void> {
    const { state } = run.progress;
    if (state === 'written') return this.complete(run, run.progress);
    if (state === 'complete') return run.commit((tx) => this.expire(tx, run.id));
    return run.commit(async (tx, progress) => {
      const { bytes, rows, next } = await this.write(tx, run.id, progress);
      await this.keep(tx, run.id, { bytes, rows, at: 'bytes' in progress ? progress.bytes : 0 });
      return { progress: next };
    });
  }

  async abandon(tx: TenantTx, id: string): Promise<void> {
    await updateAuditExport(tx, id, { status: 'failed' });
    await tx.announce(announcement(auditExportFailed, { id, version: 2n }, {}));
  }

  private write(tx: TenantTx, id: string, progress: Progress): Promise<Piece> {
    if (progress.state === 'events') return this.writeEvents(tx, progress);
    if (progress.state === 'bundle') return this.writeBundle(tx, progress);
    return this.begin(tx, id);
  }

  private async begin(tx: TenantTx, id: string): Promise<Piece> {
    const { format, filters, leaves, through } = await getExportOrder(tx, id);
    const isWhole = Object.keys(filters).length === 0;
    await updateAuditExport(tx, id, { status: 'running', ...(isWhole && { rowsTotal: leaves ?? '0' }) });
    if (format === 'bundle') {
      const { bytes, progress } = await beginBundle(tx, this.options);
      if (!progress) throw new Error('a bundle ended with its beginning');
      return { bytes, rows: 0, next: { state: 'bundle', bundle: progress, bytes: bytes.length } };
    }
    const bytes = Buffer.from(format === 'csv' ? csvHeader : '');
    const next = {
      state: 'events',
      format,
      filters,
      through: through ?? '0',
      after: '0',
      bytes: bytes.length,
    } as const;
    return { bytes, rows: 0, next };
  }

  private async writeEvents(tx: TenantTx, progress: Extract<Progress, { state: 'events' }>): Promise<Piece> {
    const { format, filters, through, after, bytes: before } = progress;
    const page = await readEventsToExport(tx, filters, { after, through, limit: PAGE_SIZE });
    if (!page) return { bytes: Buffer.alloc(0), rows: 0, next: { state: 'written', bytes: before } };
    const events = page.events.map(showAuditEvent);
    const lines = events.map((event) => (format === 'csv' ? csvEvent(event) : `${JSON.stringify(event)}\n`));
    const bytes = Buffer.from(lines.join(''));
    return {
      bytes,
      rows: events.length,
      next: { ...progress, after: page.seq, bytes: before + bytes.length },
    };
  }

  private async writeBundle(tx: TenantTx, progress: Extract<Progress, { state: 'bundle' }>): Promise<Piece> {
    const page = await continueBundle(tx, progress.bundle, this.options);
    const bytes = progress.bytes + page.bytes.length;
    const next: Progress = page.progress
      ? { state: 'bundle', bundle: page.progress, bytes }
      : { state: 'written', bytes };
    return { bytes: page.bytes, rows: page.events, next };
  }

  private async keep(
    tx: TenantTx,
    id: string,
    { bytes, rows, at }: { readonly bytes: Buffer; readonly rows: number; readonly at: number },
  ): Promise<void> {
    if (bytes.length === 0) return;
    await insertAuditChunk(tx, id, { firstByte: at, byteCount: bytes.length, body: await compress(bytes) });
    await updateAuditExport(tx, id, { rows, bytes: bytes.length });
  }

  /** Makes the digest from what is stored: the state of a digest cannot be kept from step to step. */
  private async complete(run: TaskRun<Progress>, { bytes }: { readonly bytes: number }): Promise<void> {
    const digest = createHash('sha256');
    for (let at = 0; at < bytes;) {
      const from = at;
      const chunk = await run.read((tx) => findAuditChunk(tx, run.id, from));
      if (chunk?.firstByte !== at) throw new Error(`the export ${run.id} has no piece at ${at}`);
      const piece = await decompress(chunk.body);
      digest.update(piece);
      at += piece.length;
    }
    const sha256 = digest.digest('hex');
    await run.commit(async (tx) => {
      await updateAuditExport(tx, run.id, { status: 'completed', sha256, keptSeconds: KEPT_SECONDS });
      await tx.announce(announcement(auditExportCompleted, { id: run.id, version: 2n }, { sha256 }));
      return { progress: { state: 'complete' }, waitSeconds: KEPT_SECONDS };
    });
  }

  private async expire(tx: TenantTx, id: string): Promise<Outcome<Progress>> {
    if ((await deleteAuditChunks(tx, id, CHUNKS_REMOVED_AT_A_TIME)) > 0)
      return { progress: { state: 'complete' } };
    await updateAuditExport(tx, id, { status: 'expired' });
    await tx.announce(announcement(auditExportExpired, { id, version: 3n }, {}));
    return { done: true };
  }
}
