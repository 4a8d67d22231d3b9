import { type Caller, idSchema } from '@holdfast/kernel';
import { CallerOf, dto, idempotencyOf, Needs } from '@holdfast/http';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import { Args, ArgsType, Mutation, ObjectType, Query, Resolver } from '@nestjs/graphql';
import { z } from 'zod';
import { EraseSubject } from './erase-subject.command';
import { Subject as SubjectQuery, subjectView } from './subject.query';

@ObjectType()
export class AuditSubject extends dto(subjectView, 'output') {}

@ArgsType()
export class AuditSubjectArgs extends dto(z.strictObject({ id: idSchema }), 'args') {}

@ArgsType()
export class EraseAuditSubjectArgs extends dto(
  z.strictObject({ id: idSchema, idempotencyKey: z.string() }),
  'args',
) {}

@Resolver(() => AuditSubject)
export class SubjectsResolver {
  constructor(
    private readonly commands: CommandBus,
    private readonly queries: QueryBus,
  ) {}

  @Query(() => AuditSubject, { description: 'How much is held of a person, and how far their erasure is.' })
  @Needs('personal:read')
  auditSubject(@CallerOf() caller: Caller, @Args() { id }: AuditSubjectArgs): Promise<AuditSubject> {
    return this.queries.execute(new SubjectQuery(caller, { id }));
  }

  @Mutation(() => AuditSubject, {
    description: 'Erases what is held of a person; every proof of the log still holds.',
  })
  @Needs('personal:write')
  eraseAuditSubject(
    @CallerOf() caller: Caller,
    @Args() { id, idempotencyKey }: EraseAuditSubjectArgs,
  ): Promise<AuditSubject> {
    return this.commands.execute(new EraseSubject(caller, { id }, idempotencyOf(idempotencyKey)));
  }
}
