import { Readable } from 'node:stream';
import { type Caller, idSchema } from '@holdfast/kernel';
import { type Idempotency, pageOf, type Page } from '@holdfast/cqrs';
import { ApiIdempotencyKey, CallerOf, IdempotencyKey, Needs } from '@holdfast/http';
import { Costs } from '@holdfast/limits';
import {
  Body,
  Controller,
  Get,
  HttpCode,
  Param,
  Post,
  Query,
  Req,
  Res,
  StreamableFile,
} from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import { ApiAcceptedResponse, ApiOkResponse, ApiOperation, ApiProduces, ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { z } from 'zod';
import { type AuditExportContent, AuditExportFile } from './audit-export-file.query';
import {
  auditExportInput,
  type AuditExportInput,
  auditExportView,
  type AuditExportView,
} from './audit-export-view';
import { AuditExportById, AuditExports, auditExportsInput } from './audit-exports.query';
import { byteRange } from './byte-range';
import { RequestAuditExport } from './request-audit-export.command';

const TYPES = {
  ndjson: 'application/x-ndjson',
  csv: 'text/csv; charset=utf-8',
  bundle: 'application/x-ndjson',
};
const ENDINGS = { ndjson: 'events.ndjson', csv: 'events.csv', bundle: 'log.ndjson' };

@ApiTags('audit')
@Controller('v1/audit/exports')
export class AuditExportsController {
  constructor(
    private readonly commands: CommandBus,
    private readonly queries: QueryBus,
  ) {}

  @Get()
  @Needs('audit:read')
  @ApiOperation({ summary: 'List exports of the trail, newest first' })
  @ApiOkResponse({ standardSchema: pageOf(auditExportView) })
  list(
    @CallerOf() caller: Caller,
    @Query({ schema: auditExportsInput }) input: z.output<typeof auditExportsInput>,
  ): Promise<Page<AuditExportView>> {
    return this.queries.execute(new AuditExports(caller, input));
  }

  @Post()
  @Needs('audit:read')
  @Costs(10) // Sets a worker going.
  @HttpCode(202)
  @ApiOperation({
    summary: 'Export the trail as NDJSON or CSV, or the sealed log as a bundle that can be verified',
  })
  @ApiIdempotencyKey()
  @ApiAcceptedResponse({ standardSchema: auditExportView })
  request(
    @CallerOf() caller: Caller,
    @Body({ schema: auditExportInput }) input: AuditExportInput,
    @IdempotencyKey() idempotency: Idempotency,
  ): Promise<AuditExportView> {
    return this.commands.execute(new RequestAuditExport(caller, input, idempotency));
  }

  @Get(':id')
  @Needs('audit:read')
  @ApiOperation({ summary: 'Show an export of the trail and how far it is' })
  @ApiOkResponse({ standardSchema: auditExportView })
  show(@CallerOf() caller: Caller, @Param('id', { schema: idSchema }) id: string): Promise<AuditExportView> {
    return this.queries.execute(new AuditExportById(caller, { id }));
  }

  @Get(':id/download')
  @Needs('audit:read')
  @Costs(5) // Megabytes, where another answer is kilobytes.
  @ApiOperation({ summary: 'Download a completed export, or with Range the rest of it' })
  @ApiProduces('application/x-ndjson', 'text/csv')
  @ApiOkResponse({ schema: { type: 'string' } })
  async download(
    @CallerOf() caller: Caller,
    @Param('id', { schema: idSchema }) id: string,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<StreamableFile> {
    const readmit = request.readmit ?? (() => Promise.resolve(caller));
    const content = await this.queries.execute(new AuditExportFile(caller, { id }, readmit));
    const sent = Readable.from(answer(content, request, reply), { objectMode: false });
    return new StreamableFile(sent, {
      type: TYPES[content.format],
      disposition: `attachment; filename="audit-${id}-${ENDINGS[content.format]}"`,
    });
  }
}

/**
 * The bytes of the answer, whose status and headers it sets. Ranges are of the file itself, so what is asked for by range is sent as it
 * is; the whole goes out gzipped to whoever takes that.
 */
function answer(
  content: AuditExportContent,
  { headers }: FastifyRequest,
  reply: FastifyReply,
): AsyncIterable<Buffer> {
  const { bytes, sha256 } = content;
  const etag = `"${sha256}"`;
  reply.header('accept-ranges', 'bytes').header('vary', 'accept-encoding');
  const isSame = headers['if-range'] === undefined || headers['if-range'] === etag;
  const range = isSame ? byteRange(headers.range, bytes) : undefined;
  if (range === 'unsatisfiable') {
    reply.status(416).header('content-range', `bytes */${bytes}`);
    return content.plain(0, 0);
  }
  if (range) {
    reply
      .status(206)
      .header('etag', etag)
      .header('content-range', `bytes ${range.from}-${range.to - 1}/${bytes}`);
    reply.header('content-length', range.to - range.from);
    return content.plain(range.from, range.to);
  }
  if (/\bgzip\b/.test(headers['accept-encoding'] ?? '')) {
    reply.header('content-encoding', 'gzip').header('etag', `"${sha256}-gzip"`);
    return content.gzipped();
  }
  reply.header('etag', etag).header('content-length', bytes);
  return content.plain(0, bytes);
}
