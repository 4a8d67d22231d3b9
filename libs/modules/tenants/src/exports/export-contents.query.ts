import { type Caller, Forbidden, holds, NotFound } from '@holdfast/kernel';
import { TenantQuery } from '@holdfast/cqrs';
import { statement } from '@holdfast/database';
import { TenantDatabase } from '@holdfast/tenancy';
import { type IQueryHandler, QueryHandler } from '@nestjs/cqrs';
import type { ExportManifest, ExportRow } from './export-view';
import { ExportExpired, ExportNotReady } from './exports.errors';
import { findChunk } from './exports.sql';

/** What a completed export holds. */
export class ExportContents extends TenantQuery<{ readonly id: string }, ExportManifest> {
  readonly scope = 'exports:read';
}

interface FileInput {
  readonly id: string;
  readonly name: string;
}

/**
 * A file of a completed export, as gzipped pieces that are read one by one while they are sent. `readmit` admits the caller
 * anew before each: a download goes on for longer than a grant lives, and ends with the credential that began it.
 */
export class ExportFile extends TenantQuery<FileInput, AsyncIterable<Buffer>> {
  readonly scope = 'exports:read';

  constructor(
    caller: Caller,
    input: FileInput,
    readonly readmit: () => Promise<Caller>,
  ) {
    super(caller, input);
  }
}

const FIND = statement<{ status: ExportRow['status']; manifest: ExportManifest | null }>(
  'tenants.find_export_manifest',
  'select status, manifest from tenants.exports where tenant_id = $1 and id = $2',
);

/** The manifest of an export whose files are there. Throws NotFound, ExportNotReady or ExportExpired. */
async function manifestOf(tenants: TenantDatabase, caller: Caller, id: string): Promise<ExportManifest> {
  const [row] = await tenants.rows(caller, FIND, [caller.tenantId, id]);
  if (!row) throw new NotFound();
  if (row.status === 'expired') throw new ExportExpired();
  if (row.status !== 'completed' || !row.manifest) throw new ExportNotReady();
  return row.manifest;
}

@QueryHandler(ExportContents)
export class ExportContentsHandler implements IQueryHandler<ExportContents> {
  constructor(private readonly tenants: TenantDatabase) {}

  execute({ caller, input: { id } }: ExportContents): Promise<ExportManifest> {
    return manifestOf(this.tenants, caller, id);
  }
}

@QueryHandler(ExportFile)
export class ExportFileHandler implements IQueryHandler<ExportFile> {
  constructor(private readonly tenants: TenantDatabase) {}

  async execute({ caller, input: { id, name }, readmit }: ExportFile): Promise<AsyncIterable<Buffer>> {
    const { files } = await manifestOf(this.tenants, caller, id);
    if (!files.some((file) => file.name === name)) throw new NotFound();
    return this.pieces(readmit, id, name);
  }

  /** A transaction for each: the time that a client takes to read holds no connection. */
  private async *pieces(readmit: ExportFile['readmit'], id: string, name: string): AsyncIterable<Buffer> {
    for (let part = 0; ; part += 1) {
      const caller = await readmit();
      if (!holds(caller, 'exports:read')) throw new Forbidden('exports:read');
      const chunk = await this.tenants.reading(caller, (tx) => findChunk(tx, id, name, part));
      if (!chunk) return;
      yield chunk.body;
    }
  }
}
