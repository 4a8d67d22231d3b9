import type { Caller } from '@holdfast/kernel';
import { pageOf, type Page } from '@holdfast/cqrs';
import { CallerOf, Needs } from '@holdfast/http';
import { Controller, Get, Param, Query, Req, Res, type StreamableFile } from '@nestjs/common';
import { QueryBus } from '@nestjs/cqrs';
import { ApiOkResponse, ApiOperation, ApiProduces, ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { LogCheckpoint } from './checkpoint.query';
import { LogConsistency } from './consistency.query';
import { EntryBundle } from './entry-bundle.query';
import { LogEpochs, epochsInput } from './epochs.query';
import { asksForText, sendEntries, sendForEver, sendForSeconds, sendText, varyByAccept } from './log-answers';
import { countSchema, epochSchema } from './log-epoch';
import { LogKey } from './log-key.query';
import { LogTile } from './log-tile.query';
import {
  consistencyView,
  type ConsistencyView,
  epochView,
  type EpochView,
  showConsistency,
} from './log-views';

/** What a client may ask of a checkpoint. */
export const checkpointInput = z.strictObject({
  witnessed: z
    .enum(['true', 'false'])
    .optional()
    .transform((asked) => asked === 'true')
    .meta({ description: 'The largest checkpoint that a witness has cosigned, in place of the newest.' }),
});

/** Between which sizes a log is to be proven to have grown only. */
export const consistencyInput = z.strictObject({
  from: countSchema.meta({ description: 'The size of a checkpoint that you have.', examples: [1] }),
  to: countSchema
    .optional()
    .meta({ description: 'A larger size; that of the newest checkpoint unless it is given.' }),
});

/** `consistencyInput` of any epoch. */
export const epochConsistencyInput = consistencyInput.extend({
  epoch: epochSchema
    .optional()
    .meta({ description: 'An epoch of the log; the current one unless it is given.' }),
});

const levelSchema = z
  .string()
  .regex(/^\d{1,2}$/)
  .meta({ description: 'A level of tiles, 0 being the leaves.', examples: ['0'] });

const tileSchema = z
  .string()
  .max(100)
  .regex(/^(x\d{3}\/)*\d{3}(\.p\/[1-9]\d{0,2})?$/)
  .meta({
    description:
      'The place in the level, in groups of three digits: `x001/234`; with `.p/<width>` behind it where the tile is partial.',
    examples: ['000.p/1'],
  });

const BYTES = { schema: { type: 'string', format: 'binary' } } as const;
const TEXT = { schema: { type: 'string' } } as const;

/** The tenant's log as C2SP tlog-tiles has it: the current epoch. */
@ApiTags('audit')
@Controller('v1/audit/log')
export class LogController {
  constructor(private readonly queries: QueryBus) {}

  @Get('key')
  @Needs('audit:read')
  @ApiOperation({ summary: 'The verifier keys of the log (C2SP signed-note), one a line, newest first' })
  @ApiProduces('text/plain')
  @ApiOkResponse(TEXT)
  async key(@CallerOf() caller: Caller, @Res({ passthrough: true }) reply: FastifyReply): Promise<string> {
    return sendText(reply, lines(await this.queries.execute(new LogKey(caller, {}))));
  }

  @Get('checkpoint')
  @Needs('audit:read')
  @ApiOperation({
    summary: 'The newest signed checkpoint, with the cosignatures that there are for its size',
  })
  @ApiProduces('text/plain')
  @ApiOkResponse(TEXT)
  async checkpoint(
    @CallerOf() caller: Caller,
    @Query({ schema: checkpointInput }) input: z.output<typeof checkpointInput>,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<string> {
    const { note } = await this.queries.execute(new LogCheckpoint(caller, input));
    return sendText(reply, note);
  }

  @Get('consistency')
  @Needs('audit:read')
  @ApiOperation({
    summary: 'The proof that the log has only grown; hashes alone, one a line, for `Accept: text/plain`',
  })
  @ApiProduces('application/json', 'text/plain')
  @ApiOkResponse({ standardSchema: consistencyView })
  async consistency(
    @CallerOf() caller: Caller,
    @Query({ schema: epochConsistencyInput }) input: z.output<typeof epochConsistencyInput>,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<ConsistencyView | string> {
    const shown = showConsistency(await this.queries.execute(new LogConsistency(caller, input)));
    varyByAccept(reply);
    return asksForText(request) ? sendText(reply, lines(shown.proof)) : shown;
  }

  @Get('tile/entries/*')
  @Needs('audit:read')
  @ApiOperation({ summary: 'A bundle of entries, made anew from what is stored' })
  @ApiProduces('application/octet-stream')
  @ApiOkResponse(BYTES)
  async entries(
    @CallerOf() caller: Caller,
    @Param('*', { schema: tileSchema }) tile: string,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<StreamableFile> {
    return sendEntries(request, reply, await this.queries.execute(new EntryBundle(caller, { tile })));
  }

  @Get('tile/:level/*')
  @Needs('audit:read')
  @ApiOperation({ summary: 'Hashes of a tile' })
  @ApiProduces('application/octet-stream')
  @ApiOkResponse(BYTES)
  async tile(
    @CallerOf() caller: Caller,
    @Param('level', { schema: levelSchema }) level: string,
    @Param('*', { schema: tileSchema }) tile: string,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<StreamableFile> {
    return sendForSeconds(reply, await this.queries.execute(new LogTile(caller, { level, tile })));
  }

  @Get('epochs')
  @Needs('audit:read')
  @ApiOperation({
    summary: 'List the epochs of the log, newest first: a restore from a backup begins another',
  })
  @ApiOkResponse({ standardSchema: pageOf(epochView) })
  epochs(
    @CallerOf() caller: Caller,
    @Query({ schema: epochsInput }) input: z.output<typeof epochsInput>,
  ): Promise<Page<EpochView>> {
    return this.queries.execute(new LogEpochs(caller, input));
  }
}

/** The same of one epoch: the prefix of a log of its own. */
@ApiTags('audit')
@Controller('v1/audit/log/epochs/:epoch')
export class EpochLogController {
  constructor(private readonly queries: QueryBus) {}

  @Get('key')
  @Needs('audit:read')
  @ApiOperation({ summary: 'The verifier keys of an epoch of the log' })
  @ApiProduces('text/plain')
  @ApiOkResponse(TEXT)
  async key(
    @CallerOf() caller: Caller,
    @Param('epoch', { schema: epochSchema }) epoch: string,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<string> {
    return sendText(reply, lines(await this.queries.execute(new LogKey(caller, { epoch }))));
  }

  @Get('checkpoint')
  @Needs('audit:read')
  @ApiOperation({ summary: 'The newest signed checkpoint of an epoch of the log' })
  @ApiProduces('text/plain')
  @ApiOkResponse(TEXT)
  async checkpoint(
    @CallerOf() caller: Caller,
    @Param('epoch', { schema: epochSchema }) epoch: string,
    @Query({ schema: checkpointInput }) input: z.output<typeof checkpointInput>,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<string> {
    const { note } = await this.queries.execute(new LogCheckpoint(caller, { ...input, epoch }));
    return sendText(reply, note);
  }

  @Get('consistency')
  @Needs('audit:read')
  @ApiOperation({ summary: 'The proof that an epoch of the log has only grown' })
  @ApiProduces('application/json', 'text/plain')
  @ApiOkResponse({ standardSchema: consistencyView })
  async consistency(
    @CallerOf() caller: Caller,
    @Param('epoch', { schema: epochSchema }) epoch: string,
    @Query({ schema: consistencyInput }) input: z.output<typeof consistencyInput>,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<ConsistencyView | string> {
    const shown = showConsistency(
      await this.queries.execute(new LogConsistency(caller, { ...input, epoch })),
    );
    varyByAccept(reply);
    return asksForText(request) ? sendText(reply, lines(shown.proof)) : shown;
  }

  @Get('tile/entries/*')
  @Needs('audit:read')
  @ApiOperation({ summary: 'A bundle of entries of an epoch of the log' })
  @ApiProduces('application/octet-stream')
  @ApiOkResponse(BYTES)
  async entries(
    @CallerOf() caller: Caller,
    @Param('epoch', { schema: epochSchema }) epoch: string,
    @Param('*', { schema: tileSchema }) tile: string,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<StreamableFile> {
    const bundle = await this.queries.execute(new EntryBundle(caller, { tile, epoch }));
    return sendEntries(request, reply, bundle);
  }

  @Get('tile/:level/*')
  @Needs('audit:read')
  @ApiOperation({ summary: 'Hashes of a tile of an epoch of the log' })
  @ApiProduces('application/octet-stream')
  @ApiOkResponse(BYTES)
  async tile(
    @CallerOf() caller: Caller,
    @Param('epoch', { schema: epochSchema }) epoch: string,
    @Param('level', { schema: levelSchema }) level: string,
    @Param('*', { schema: tileSchema }) tile: string,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<StreamableFile> {
    return sendForEver(reply, await this.queries.execute(new LogTile(caller, { level, tile, epoch })));
  }
}

function lines(texts: readonly string[]): string {
  return texts.map((text) => `${text}\n`).join('');
}
