import type { Caller } from '@holdfast/kernel';
import { type Page, pageOf } from '@holdfast/cqrs';
import { CallerOf, Needs } from '@holdfast/http';
import { Controller, Get, Param, Query, Res } from '@nestjs/common';
import { QueryBus } from '@nestjs/cqrs';
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { receiptKeyName } from './receipt-key';
import { ReceiptKeyById } from './receipt-key.query';
import { receiptKeyView, type ReceiptKeyView } from './receipt-key-view';
import { ReceiptKeyList, receiptKeysInput, type ReceiptKeysInput } from './receipt-keys.query';

/** Once certified a key stays as it is. Private, since it takes a credential to read it. */
const FOR_GOOD = 'private, max-age=31536000, immutable';

@ApiTags('audit')
@Controller('v1/audit/receipt-keys')
export class ReceiptKeysController {
  constructor(private readonly queries: QueryBus) {}

  @Get()
  @Needs('audit:read')
  @ApiOperation({ summary: 'List the keys that sign receipts, newest first' })
  @ApiOkResponse({ standardSchema: pageOf(receiptKeyView) })
  list(
    @CallerOf() caller: Caller,
    @Query({ schema: receiptKeysInput }) input: ReceiptKeysInput,
  ): Promise<Page<ReceiptKeyView>> {
    return this.queries.execute(new ReceiptKeyList(caller, input));
  }

  @Get(':id')
  @Needs('audit:read')
  @ApiOperation({ summary: 'Read a key that signs receipts, with its certificate' })
  @ApiOkResponse({ standardSchema: receiptKeyView })
  async read(
    @CallerOf() caller: Caller,
    @Param('id', { schema: receiptKeyName }) id: string,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<ReceiptKeyView> {
    const key = await this.queries.execute(new ReceiptKeyById(caller, { id }));
    reply.header('cache-control', key.certificate === null ? 'no-store' : FOR_GOOD);
    return key;
  }
}
