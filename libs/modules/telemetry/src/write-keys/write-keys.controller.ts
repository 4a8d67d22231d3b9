import { type Caller, idSchema, NotFound } from '@holdfast/kernel';
import { type Idempotency, pageOf, type Page } from '@holdfast/cqrs';
import { ApiIdempotencyKey, CallerOf, IdempotencyKey, Needs, Public } from '@holdfast/http';
import { Body, Controller, Delete, Get, Headers, HttpCode, Param, Post, Query, Res } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import {
  ApiCreatedResponse,
  ApiNoContentResponse,
  ApiOkResponse,
  ApiOperation,
  ApiTags,
} from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import { CreateWriteKey, createWriteKeyInput } from './create-write-key.command';
import { PublishedKeyList } from './published-key-list';
import { RevokeWriteKey } from './revoke-write-key.command';
import { writeKeyView, type WriteKeyView } from './write-key';
import { WriteKeys, writeKeysInput } from './write-keys.query';

const signedListView = z.object({
  list: z.string().meta({ description: 'JSON, as it was signed.' }),
  signature: z.string().meta({ description: 'Ed25519 over `holdfast key list`, a line break and the list.' }),
});

@ApiTags('telemetry')
@Controller('v1/telemetry')
export class WriteKeysController {
  constructor(
    private readonly commands: CommandBus,
    private readonly queries: QueryBus,
    private readonly published: PublishedKeyList,
  ) {}

  @Get('write-keys')
  @Needs('telemetry:read')
  @ApiOperation({ summary: 'List write keys, newest first' })
  @ApiOkResponse({ standardSchema: pageOf(writeKeyView) })
  list(
    @CallerOf() caller: Caller,
    @Query({ schema: writeKeysInput }) input: z.output<typeof writeKeysInput>,
  ): Promise<Page<WriteKeyView>> {
    return this.queries.execute(new WriteKeys(caller, input));
  }

  @Post('write-keys')
  @Needs('telemetry:write')
  @ApiOperation({ summary: 'Make a write key, with which telemetry is sent' })
  @ApiIdempotencyKey()
  @ApiCreatedResponse({ standardSchema: writeKeyView })
  create(
    @CallerOf() caller: Caller,
    @IdempotencyKey() idempotency: Idempotency,
    @Body({ schema: createWriteKeyInput }) input: z.output<typeof createWriteKeyInput>,
  ): Promise<WriteKeyView> {
    return this.commands.execute(new CreateWriteKey(caller, input, idempotency));
  }

  @Delete('write-keys/:id')
  @Needs('telemetry:write')
  @HttpCode(204)
  @ApiOperation({ summary: 'Revoke a write key' })
  @ApiNoContentResponse()
  async revoke(@CallerOf() caller: Caller, @Param('id', { schema: idSchema }) id: string): Promise<void> {
    await this.commands.execute(new RevokeWriteKey(caller, { id }));
  }

  @Get('key-list')
  @Public()
  @ApiOperation({
    summary: 'Which write keys and tenants ingest refuses, as fingerprints, and what is drilled; signed',
  })
  @ApiOkResponse({ standardSchema: signedListView })
  async keyList(
    @Headers('if-none-match') known: string | undefined,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<z.output<typeof signedListView> | undefined> {
    const published = await this.published.current();
    if (!published) throw new NotFound();
    const { etag, list, signature } = published;
    // A cache may stand between; a revocation is in effect within a minute all the same.
    void reply.headers({ etag, 'cache-control': 'public, max-age=5' });
    if (known !== etag) return { list, signature };
    void reply.status(304);
    return undefined;
  }
}
