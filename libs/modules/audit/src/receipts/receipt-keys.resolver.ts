import type { Caller } from '@holdfast/kernel';
import { CallerOf, connectionOf, dto, Needs, PageArgs, pageInputOf, toConnection } from '@holdfast/http';
import { QueryBus } from '@nestjs/cqrs';
import { Args, ArgsType, ObjectType, Query, Resolver } from '@nestjs/graphql';
import { z } from 'zod';
import { receiptKeyName } from './receipt-key';
import { ReceiptKeyById } from './receipt-key.query';
import { receiptKeyView } from './receipt-key-view';
import { ReceiptKeyList } from './receipt-keys.query';

@ObjectType()
export class ReceiptKey extends dto(receiptKeyView, 'output') {}

@ObjectType()
export class ReceiptKeyConnection extends connectionOf(ReceiptKey) {}

@ArgsType()
export class ReceiptKeyArgs extends dto(z.strictObject({ id: receiptKeyName }), 'args') {}

@Resolver(() => ReceiptKey)
export class ReceiptKeysResolver {
  constructor(private readonly queries: QueryBus) {}

  @Query(() => ReceiptKeyConnection, { description: 'The keys that sign receipts, newest first.' })
  @Needs('audit:read')
  async receiptKeys(@CallerOf() caller: Caller, @Args() args: PageArgs): Promise<ReceiptKeyConnection> {
    return toConnection(await this.queries.execute(new ReceiptKeyList(caller, pageInputOf(args))));
  }

  @Query(() => ReceiptKey, { description: 'A key that signs receipts, with its certificate.' })
  @Needs('audit:read')
  receiptKey(@CallerOf() caller: Caller, @Args() { id }: ReceiptKeyArgs): Promise<ReceiptKey> {
    return this.queries.execute(new ReceiptKeyById(caller, { id }));
  }
}
