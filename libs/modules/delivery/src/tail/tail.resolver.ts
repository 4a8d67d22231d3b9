import type { Caller } from '@holdfast/kernel';
import { cloudEventOf } from '@holdfast/events';
import {
  CallerOf,
  dto,
  Needs,
  represent,
  requestOf,
  subscribed,
  type SubscriptionContext,
} from '@holdfast/http';
import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import { QueryBus } from '@nestjs/cqrs';
import { Args, ArgsType, Context, ObjectType, Resolver, Subscription } from '@nestjs/graphql';
import { z } from 'zod';
import { FollowEvents } from './follow-events.query';
import { tailInput } from './tail-filter';
import { endedTotal, openStreams, sentTotal } from './tail-metrics';
import type { TailStream } from './tail-stream';
import { tailEventView, tailMessageView } from './tail-view';

@ObjectType()
export class TailEvent extends dto(tailEventView, 'output') {}

represent(tailEventView, 'output', () => TailEvent);

@ObjectType()
export class TailMessage extends dto(tailMessageView, 'output') {}

// A GraphQL client may send null for what it leaves out.
@ArgsType()
export class TailArgs extends dto(
  z.strictObject({
    after: tailInput.shape.after.nullable(),
    from: tailInput.shape.from.unwrap().nullable().optional(),
    types: tailInput.shape.types.nullable(),
    stream: tailInput.shape.stream.nullable(),
    actor: tailInput.shape.actor.nullable(),
  }),
  'args',
) {}

/** Admits the subscription's credential anew. */
const ReadmitOf = createParamDecorator((_: unknown, context: ExecutionContext) => requestOf(context).readmit);

const TRANSPORT = { transport: 'graphql' };

@Resolver(() => TailMessage)
export class TailResolver {
  constructor(private readonly queries: QueryBus) {}

  @Subscription(() => TailMessage, {
    description:
      'Events as they come, in order and each once; with the cursor that came last, from there on.',
  })
  @Needs('events:read')
  async events(
    @CallerOf() caller: Caller,
    @ReadmitOf() readmit: (() => Promise<Caller>) | undefined,
    @Args() args: TailArgs,
    @Context() context: SubscriptionContext,
  ): Promise<AsyncIterable<{ readonly events: TailMessage }>> {
    const input = tailInput.parse(
      Object.fromEntries(Object.entries(args).filter(([, value]) => value !== null && value !== undefined)),
    );
    const query = new FollowEvents(caller, input, readmit ?? (() => Promise.resolve(caller)));
    const events = await this.queries.execute(query);
    openStreams.inc(TRANSPORT);
    events.signal.addEventListener('abort', () => {
      openStreams.dec(TRANSPORT);
      endedTotal.inc({ ...TRANSPORT, reason: events.failure?.code ?? 'closed' });
    });
    return subscribed(context, messagesOf(events), () => events.end());
  }
}

async function* messagesOf(stream: TailStream): AsyncGenerator<{ readonly events: TailMessage }> {
  for await (const { cursor, event } of stream.items()) {
    yield { events: { cursor, event: event ? (cloudEventOf(event) as TailEvent) : null } };
    if (event) sentTotal.inc(TRANSPORT);
  }
  if (stream.failure) throw stream.failure;
}
