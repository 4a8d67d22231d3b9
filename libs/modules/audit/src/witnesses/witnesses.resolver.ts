import type { Caller } from '@holdfast/kernel';
import { CallerOf, dto, Needs } from '@holdfast/http';
import { QueryBus } from '@nestjs/cqrs';
import { ObjectType, Query, Resolver } from '@nestjs/graphql';
import { witnessView } from './witness';
import { Witnesses } from './witnesses.query';

@ObjectType()
export class AuditWitness extends dto(witnessView, 'output') {}

@Resolver(() => AuditWitness)
export class WitnessesResolver {
  constructor(private readonly queries: QueryBus) {}

  @Query(() => [AuditWitness], { description: 'Who cosigns the checkpoints of the log.' })
  @Needs('audit:read')
  async auditWitnesses(@CallerOf() caller: Caller): Promise<AuditWitness[]> {
    return [...(await this.queries.execute(new Witnesses(caller, {})))];
  }
}
