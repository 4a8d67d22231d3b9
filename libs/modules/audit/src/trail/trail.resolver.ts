import { type Caller, idSchema } from '@holdfast/kernel';
import {
  CallerOf,
  connectionOf,
  dto,
  Needs,
  PageArgs,
  pageInputOf,
  represent,
  toConnection,
} from '@holdfast/http';
import { QueryBus } from '@nestjs/cqrs';
import { Args, ArgsType, ObjectType, Query, Resolver } from '@nestjs/graphql';
import { z } from 'zod';
import {
  AuditChain as AuditChainQuery,
  auditChainNodeView,
  auditChainView,
} from '../chain/audit-chain.query';
import { auditActorView, auditEventDetailView, auditOriginView } from './audit-event-detail-view';
import { auditEventView, auditStreamView } from './audit-event-view';
import { AuditEvent as AuditEventQuery } from './audit-event.query';
import { AuditTrail, auditTrailInput } from './audit-trail.query';

@ObjectType()
export class AuditStream extends dto(auditStreamView, 'output') {}

represent(auditStreamView, 'output', () => AuditStream);

@ObjectType()
export class AuditEvent extends dto(auditEventView, 'output') {}

@ObjectType()
export class AuditEventConnection extends connectionOf(AuditEvent) {}

@ObjectType()
export class AuditActor extends dto(auditActorView, 'output') {}

represent(auditActorView, 'output', () => AuditActor);

@ObjectType()
export class AuditOrigin extends dto(auditOriginView, 'output') {}

represent(auditOriginView, 'output', () => AuditOrigin);

// Values of any kind have no type in GraphQL: a difference is an object of JSON there.
@ObjectType()
export class AuditEventDetail extends dto(
  auditEventDetailView.extend({ changes: z.array(z.record(z.string(), z.unknown())).nullable() }),
  'output',
) {}

@ObjectType()
export class AuditChainNode extends dto(auditChainNodeView, 'output') {}

represent(auditChainNodeView, 'output', () => AuditChainNode);

@ObjectType()
export class AuditChain extends dto(auditChainView, 'output') {}

@ArgsType()
export class AuditEventArgs extends dto(z.strictObject({ id: idSchema }), 'args') {}

@ArgsType()
export class AuditChainArgs extends dto(z.strictObject({ eventId: idSchema }), 'args') {}

const { actor, act, type, stream, requestId, outcome, from, to } = auditTrailInput.shape;

// A GraphQL client may send null for what it leaves out.
@ArgsType()
export class AuditEventsArgs extends dto(
  PageArgs.schema.extend({
    actor: actor.nullable(),
    act: act.nullable(),
    type: type.nullable(),
    stream: stream.nullable(),
    requestId: requestId.nullable(),
    outcome: outcome.nullable(),
    from: from.nullable(),
    to: to.nullable(),
  }),
  'args',
) {}

@Resolver(() => AuditEvent)
export class AuditResolver {
  constructor(private readonly queries: QueryBus) {}

  @Query(() => AuditEventConnection, { description: 'What happened, newest first.' })
  @Needs('audit:read')
  async auditEvents(
    @CallerOf() caller: Caller,
    @Args() args: AuditEventsArgs,
  ): Promise<AuditEventConnection> {
    const filters = {
      actor: args.actor ?? undefined,
      act: args.act ?? undefined,
      type: args.type ?? undefined,
      stream: args.stream ?? undefined,
      requestId: args.requestId ?? undefined,
      outcome: args.outcome ?? undefined,
      from: args.from ?? undefined,
      to: args.to ?? undefined,
    };
    return toConnection(
      await this.queries.execute(new AuditTrail(caller, { ...pageInputOf(args), ...filters })),
    );
  }

  @Query(() => AuditEventDetail, { description: 'One event, with what it changed.' })
  @Needs('audit:read')
  async auditEvent(@CallerOf() caller: Caller, @Args() { id }: AuditEventArgs): Promise<AuditEventDetail> {
    return (await this.queries.execute(new AuditEventQuery(caller, { id }))) as AuditEventDetail;
  }

  @Query(() => AuditChain, { description: 'Why an event came to be, and what came of it.' })
  @Needs('audit:read')
  auditChain(@CallerOf() caller: Caller, @Args() { eventId }: AuditChainArgs): Promise<AuditChain> {
    return this.queries.execute(new AuditChainQuery(caller, { id: eventId }));
  }
}
