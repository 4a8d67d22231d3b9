import { Readable } from 'node:stream';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { type Caller, idSchema } from '@holdfast/kernel';
import { type Idempotency, pageOf, type Page } from '@holdfast/cqrs';
import { Costs } from '@holdfast/limits';
import { ApiIdempotencyKey, CallerOf, IdempotencyKey, Needs } from '@holdfast/http';
import { Controller, Get, HttpCode, Param, Post, Query, Req, Res, StreamableFile } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import { ApiAcceptedResponse, ApiOkResponse, ApiOperation, ApiProduces, ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { ExportContents, ExportFile } from './export-contents.query';
import { type ExportManifest, exportManifestView, exportView, type ExportView } from './export-view';
import { ExportById, Exports, exportsInput } from './exports.query';
import { RequestExport } from './request-export.command';

const fileName = z
  .string()
  .max(200)
  .meta({ description: 'The name of a file in the manifest.', examples: ['tenants.tenants.ndjson'] });
const decompress = promisify(gunzip);

@ApiTags('tenant')
@Controller('v1/tenant/exports')
export class ExportsController {
  constructor(
    private readonly commands: CommandBus,
    private readonly queries: QueryBus,
  ) {}

  @Get()
  @Needs('exports:read')
  @ApiOperation({ summary: 'List exports, newest first' })
  @ApiOkResponse({ standardSchema: pageOf(exportView) })
  list(
    @CallerOf() caller: Caller,
    @Query({ schema: exportsInput }) input: z.output<typeof exportsInput>,
  ): Promise<Page<ExportView>> {
    return this.queries.execute(new Exports(caller, input));
  }

  @Post()
  @Needs('exports:write')
  @Costs(10) // Counts every table that the tenant has, and sets a worker going.
  @HttpCode(202)
  @ApiOperation({ summary: 'Export everything that the tenant has' })
  @ApiIdempotencyKey()
  @ApiAcceptedResponse({ standardSchema: exportView })
  request(@CallerOf() caller: Caller, @IdempotencyKey() idempotency: Idempotency): Promise<ExportView> {
    return this.commands.execute(new RequestExport(caller, {}, idempotency));
  }

  @Get(':id')
  @Needs('exports:read')
  @ApiOperation({ summary: 'Show an export and how far it is' })
  @ApiOkResponse({ standardSchema: exportView })
  show(@CallerOf() caller: Caller, @Param('id', { schema: idSchema }) id: string): Promise<ExportView> {
    return this.queries.execute(new ExportById(caller, { id }));
  }

  @Get(':id/manifest')
  @Needs('exports:read')
  @ApiOperation({ summary: 'List the files of a completed export with their checksums' })
  @ApiOkResponse({ standardSchema: exportManifestView })
  manifest(
    @CallerOf() caller: Caller,
    @Param('id', { schema: idSchema }) id: string,
  ): Promise<ExportManifest> {
    return this.queries.execute(new ExportContents(caller, { id }));
  }

  @Get(':id/files/:name')
  @Needs('exports:read')
  @Costs(5) // Megabytes, where another answer is kilobytes.
  @ApiOperation({ summary: 'Download a file of a completed export, one row a line' })
  @ApiProduces('application/x-ndjson')
  async file(
    @CallerOf() caller: Caller,
    @Param('id', { schema: idSchema }) id: string,
    @Param('name', { schema: fileName }) name: string,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<StreamableFile> {
    const readmit = request.readmit ?? (() => Promise.resolve(caller));
    const pieces = await this.queries.execute(new ExportFile(caller, { id, name }, readmit));
    const takesGzip = /\bgzip\b/.test(request.headers['accept-encoding'] ?? '');
    reply.header('vary', 'accept-encoding');
    if (takesGzip) reply.header('content-encoding', 'gzip');
    const sent = takesGzip ? pieces : plain(pieces);
    return new StreamableFile(Readable.from(sent, { objectMode: false }), { type: 'application/x-ndjson' });
  }
}

async function* plain(pieces: AsyncIterable<Buffer>): AsyncIterable<Buffer> {
  for await (const piece of pieces) yield await decompress(piece);
}
