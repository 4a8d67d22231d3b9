import { type Caller, idSchema } from '@holdfast/kernel';
import { type Idempotency, type Page, pageOf } from '@holdfast/cqrs';
import { ApiIdempotencyKey, CallerOf, IdempotencyKey, Needs } from '@holdfast/http';
import { Body, Controller, Get, HttpCode, Param, Post, Query } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import { RouteConfig } from '@nestjs/platform-fastify';
import { ApiCreatedResponse, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { z } from 'zod';
import { PostTransfer } from './post-transfer.command';
import { PostTransfers } from './post-transfers.command';
import {
  postedItemsView,
  type PostedItemsView,
  postTransferInput,
  type PostTransferInput,
  postTransfersInput,
  type PostTransfersInput,
  transferView,
  type TransferView,
} from './transfer';
import { TransferById } from './transfer-by-id.query';
import { Transfers, transfersInput } from './transfers.query';

/** A batch of 8,000 items with short metadata, in bytes: 4 MiB. */
const BATCH_BODY_MAX = 4_194_304;

@ApiTags('ledger')
@Controller('v1/ledger')
export class TransfersController {
  constructor(
    private readonly commands: CommandBus,
    private readonly queries: QueryBus,
  ) {}

  @Post('transfers')
  @Needs('ledger:write')
  @ApiOperation({ summary: 'Post a transfer' })
  @ApiIdempotencyKey()
  @ApiCreatedResponse({ standardSchema: transferView })
  post(
    @CallerOf() caller: Caller,
    @IdempotencyKey() idempotency: Idempotency,
    @Body({ schema: postTransferInput }) input: PostTransferInput,
  ): Promise<TransferView> {
    return this.commands.execute(new PostTransfer(caller, input, idempotency));
  }

  // The router reads a double colon as one that names no parameter.
  @Post('transfers::batch')
  @Needs('ledger:write')
  @HttpCode(200)
  @RouteConfig({ bodyLimit: BATCH_BODY_MAX })
  @ApiOperation({ summary: 'Post many transfers in their order; the item ids are the idempotency' })
  @ApiOkResponse({ standardSchema: postedItemsView })
  postMany(
    @CallerOf() caller: Caller,
    @Body({ schema: postTransfersInput }) input: PostTransfersInput,
  ): Promise<PostedItemsView> {
    return this.commands.execute(new PostTransfers(caller, input));
  }

  @Get('transfers')
  @Needs('ledger:read')
  @ApiOperation({ summary: 'List transfers, newest first' })
  @ApiOkResponse({ standardSchema: pageOf(transferView) })
  list(
    @CallerOf() caller: Caller,
    @Query({ schema: transfersInput }) input: z.output<typeof transfersInput>,
  ): Promise<Page<TransferView>> {
    return this.queries.execute(new Transfers(caller, input));
  }

  @Get('transfers/:id')
  @Needs('ledger:read')
  @ApiOperation({ summary: 'Read a transfer' })
  @ApiOkResponse({ standardSchema: transferView })
  read(@CallerOf() caller: Caller, @Param('id', { schema: idSchema }) id: string): Promise<TransferView> {
    return this.queries.execute(new TransferById(caller, { id }));
  }
}
