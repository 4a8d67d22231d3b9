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

@ArgsType()
export class AuditEventArgs extends dto(z.strictObject({ id: idSchema }), 'args') {}

const { actor, type, stream, from, to } = auditTrailInput.shape;

// A GraphQL client may send null for what it leaves out.
@ArgsType()
export class AuditEventsArgs extends dto(
  PageArgs.schema.extend({
    actor: actor.nullable(),
    type: type.nullable(),
    stream: stream.nullable(),
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
      type: args.type ?? undefined,
      stream: args.stream ?? undefined,
      from: args.from ?? undefined,
      to: args.to ?? undefined,
    };
    return toConnection(
      await this.queries.execute(new AuditTrail(caller, { ...pageInputOf(args), ...filters })),
    );
  }

  @Query(() => AuditEvent, { description: 'One event.' })
  @Needs('audit:read')
  auditEvent(@CallerOf() caller: Caller, @Args() { id }: AuditEventArgs): Promise<AuditEvent> {
    return this.queries.execute(new AuditEventQuery(caller, { id }));
  }
}
