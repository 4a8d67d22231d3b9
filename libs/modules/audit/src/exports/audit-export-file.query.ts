import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { type Caller, Forbidden, holds, NotFound } from '@holdfast/kernel';
import { Readings, TenantQuery } from '@holdfast/cqrs';
import { statement } from '@holdfast/database';
import { TenantDatabase } from '@holdfast/tenancy';
import { type IQueryHandler, QueryHandler } from '@nestjs/cqrs';
import type { AuditExportRow } from './audit-export-view';
import { AuditExportExpired, AuditExportNotReady } from './audit-exports.errors';
import { findAuditChunk } from './audit-exports.sql';

/** A file that can be downloaded. */
export interface AuditExportContent {
  readonly format: AuditExportRow['format'];
  readonly bytes: number;
  readonly sha256: string;
  /** From a byte of the file to before another, in pieces that are read one by one while they are sent. */
  plain(from: number, to: number): AsyncIterable<Buffer>;
  /** The whole file, each piece gzipped by itself. */
  gzipped(): AsyncIterable<Buffer>;
}

/**
 * The file of a completed export. `readmit` admits the caller anew before each piece: a download goes on for longer than a
 * grant lives, and ends with the credential that began it.
 */
export class AuditExportFile extends TenantQuery<{ readonly id: string }, AuditExportContent> {
  readonly scope = 'audit:read';

  constructor(
    caller: Caller,
    input: { readonly id: string },
    readonly readmit: () => Promise<Caller>,
  ) {
    super(caller, input);
  }
}

const FIND = statement<Pick<AuditExportRow, 'status' | 'format' | 'byte_count' | 'sha256'>>(
  'audit.find_export_file',
  'select status, format, byte_count, sha256 from audit.exports where tenant_id = $1 and id = $2',
);

const decompress = promisify(gunzip);

@QueryHandler(AuditExportFile)
export class AuditExportFileHandler implements IQueryHandler<AuditExportFile> {
  constructor(
    private readonly tenants: TenantDatabase,
    private readonly readings: Readings,
  ) {}

  async execute({ caller, input: { id }, readmit }: AuditExportFile): Promise<AuditExportContent> {
    const [row] = await this.tenants.rows(caller, FIND, [caller.tenantId, id]);
    if (!row) throw new NotFound();
    if (row.status === 'expired') throw new AuditExportExpired();
    if (row.status !== 'completed' || row.sha256 === null) throw new AuditExportNotReady();
    await this.readings.record(caller, { what: 'export', filters: {}, of: [id] });
    const bytes = Number(row.byte_count);
    const pieces = (from: number): AsyncIterable<Piece> => this.pieces(readmit, id, from, bytes);
    return {
      ...{ format: row.format, bytes, sha256: row.sha256 },
      plain: (from, to) => slices(pieces(from), from, to),
      gzipped: () => bodies(pieces(0)),
    };
  }

  /** A transaction for each: the time that a client takes to read holds no connection. */
  private async *pieces(
    readmit: AuditExportFile['readmit'],
    id: string,
    from: number,
    bytes: number,
  ): AsyncIterable<Piece> {
    for (let at = from; at < bytes;) {
      const caller = await readmit();
      if (!holds(caller, 'audit:read')) throw new Forbidden('audit:read');
      const byte = at;
      const chunk = await this.tenants.reading(caller, (tx) => findAuditChunk(tx, id, byte));
      if (!chunk) throw new AuditExportExpired();
      const text = await decompress(chunk.body);
      yield { ...chunk, text };
      at = chunk.firstByte + text.length;
    }
  }
}

interface Piece {
  readonly firstByte: number;
  readonly body: Buffer;
  readonly text: Buffer;
}

async function* slices(pieces: AsyncIterable<Piece>, from: number, to: number): AsyncIterable<Buffer> {
  for await (const { firstByte, text } of pieces) {
    yield text.subarray(Math.max(0, from - firstByte), Math.max(0, to - firstByte));
    if (firstByte + text.length >= to) return;
  }
}

async function* bodies(pieces: AsyncIterable<Piece>): AsyncIterable<Buffer> {
  for await (const { body } of pieces) yield body;
}
