import type { Caller } from '@holdfast/kernel';
import { CallerOf, dto, Needs } from '@holdfast/http';
import { QueryBus } from '@nestjs/cqrs';
import { Args, ArgsType, ObjectType, Query, Resolver } from '@nestjs/graphql';
import { OwnTenant } from './own-tenant.query';
import { TenantUsage, tenantUsageInput, tenantUsageView } from './tenant-usage.query';
import { tenantView } from './tenant-view';

@ObjectType()
export class Tenant extends dto(tenantView, 'output') {}

@ObjectType()
export class UsageCount extends dto(tenantUsageView.shape.data.element, 'output') {}

@ArgsType()
export class UsageArgs extends dto(tenantUsageInput, 'args') {}

@Resolver(() => Tenant)
export class TenantResolver {
  constructor(private readonly queries: QueryBus) {}

  @Query(() => Tenant, { description: 'The tenant of the credential.' })
  @Needs('tenant:read')
  tenant(@CallerOf() caller: Caller): Promise<Tenant> {
    return this.queries.execute(new OwnTenant(caller, {}));
  }

  @Query(() => [UsageCount], { description: 'Events by day and type.' })
  @Needs('tenant:read')
  async usage(@CallerOf() caller: Caller, @Args() args: UsageArgs): Promise<UsageCount[]> {
    return (await this.queries.execute(new TenantUsage(caller, args))).data;
  }
}
