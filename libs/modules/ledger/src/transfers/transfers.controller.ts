import { type Caller, idSchema } from '@holdfast/kernel';
import { type Idempotency, type Page, pageOf } from '@holdfast/cqrs';
import { ApiIdempotencyKey, CallerOf, IdempotencyKey, Needs, OpenWhileSuspended } from '@holdfast/http';
import { Body, Controller, Get, HttpCode, Param, Post, Query } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import { RouteConfig } from '@nestjs/platform-fastify';
import { ApiCreatedResponse, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { PostHold } from './post-hold.command';
import { PostTransfer } from './post-transfer.command';
import { PostTransfers } from './post-transfers.command';
import { ReverseTransfer } from './reverse-transfer.command';
import { postedItemsView, type PostedItemsView, transferView, type TransferView } from './transfer';
import { transfersInput, type TransfersInput } from './transfer-filter';
import { TransferById } from './transfer-by-id.query';
import {
  postHoldInput,
  type PostHoldInput,
  postTransferInput,
  type PostTransferInput,
  postTransfersInput,
  type PostTransfersInput,
  reverseTransferInput,
  type ReverseTransferInput,
  voidHoldInput,
  type VoidHoldInput,
} from './transfer-input';
import { Transfers } from './transfers.query';
import { VoidHold } from './void-hold.command';

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
  @ApiOperation({ summary: 'Post a transfer, or place a hold' })
  @ApiIdempotencyKey()
  @ApiCreatedResponse({ standardSchema: transferView })
  post(
    @CallerOf() caller: Caller,
    @IdempotencyKey() idempotency: Idempotency,
    @Body({ schema: postTransferInput }) input: PostTransferInput,
  ): Promise<TransferView> {
    return this.commands.execute(new PostTransfer(caller, input, idempotency));
  }

  @Post('transfers/:id/post')
  @Needs('ledger:write')
  @OpenWhileSuspended()
  @ApiOperation({ summary: 'Post a hold, in part or whole; answers the transfer that posted it' })
  @ApiIdempotencyKey()
  @ApiCreatedResponse({ standardSchema: transferView })
  postHold(
    @CallerOf() caller: Caller,
    @IdempotencyKey() idempotency: Idempotency,
    @Param('id', { schema: idSchema }) holdId: string,
    @Body({ schema: postHoldInput }) input: PostHoldInput,
  ): Promise<TransferView> {
    return this.commands.execute(new PostHold(caller, { ...input, holdId }, idempotency));
  }

  @Post('transfers/:id/void')
  @Needs('ledger:write')
  @OpenWhileSuspended()
  @ApiOperation({ summary: 'Give a hold back; answers what ended it' })
  @ApiIdempotencyKey()
  @ApiCreatedResponse({ standardSchema: transferView })
  voidHold(
    @CallerOf() caller: Caller,
    @IdempotencyKey() idempotency: Idempotency,
    @Param('id', { schema: idSchema }) holdId: string,
    @Body({ schema: voidHoldInput }) input: VoidHoldInput,
  ): Promise<TransferView> {
    return this.commands.execute(new VoidHold(caller, { ...input, holdId }, idempotency));
  }

  @Post('transfers/:id/reverse')
  @Needs('ledger:write')
  @ApiOperation({ summary: 'Reverse a posted transfer; answers the transfer back' })
  @ApiIdempotencyKey()
  @ApiCreatedResponse({ standardSchema: transferView })
  reverse(
    @CallerOf() caller: Caller,
    @IdempotencyKey() idempotency: Idempotency,
    @Param('id', { schema: idSchema }) transferId: string,
    @Body({ schema: reverseTransferInput }) input: ReverseTransferInput,
  ): Promise<TransferView> {
    return this.commands.execute(new ReverseTransfer(caller, { ...input, transferId }, idempotency));
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
  @ApiOperation({
    summary: 'List transfers, newest first; a page of filtered ones may be short though there are more',
  })
  @ApiOkResponse({ standardSchema: pageOf(transferView) })
  list(
    @CallerOf() caller: Caller,
    @Query({ schema: transfersInput }) input: TransfersInput,
  ): Promise<Page<TransferView>> {
    return this.queries.execute(new Transfers(caller, input));
  }

  @Get('transfers/:id')
  @Needs('ledger:read')
  @ApiOperation({ summary: 'Read a transfer, with what became of it' })
  @ApiOkResponse({ standardSchema: transferView })
  read(@CallerOf() caller: Caller, @Param('id', { schema: idSchema }) id: string): Promise<TransferView> {
    return this.queries.execute(new TransferById(caller, { id }));
  }
}
