import { type Caller, tenantSettings, tenantSettingsChange } from '@holdfast/kernel';
import { CallerOf, dto, idempotencyOf, Needs, represent } from '@holdfast/http';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import { Args, ArgsType, InputType, Mutation, ObjectType, Query, Resolver } from '@nestjs/graphql';
import { ChangeTenant, changeTenantInput } from './change-tenant.command';
import { OwnTenant } from './own-tenant.query';
import { QuotaUse, quotaUseView } from './quota-use.query';
import { TenantUsage, tenantUsageInput, tenantUsageView } from './tenant-usage.query';
import { planView, quotasView, tenantView } from './tenant-view';

@ObjectType()
export class Quotas extends dto(quotasView, 'output') {}
represent(quotasView, 'output', () => Quotas);

@ObjectType()
export class Plan extends dto(planView, 'output') {}
represent(planView, 'output', () => Plan);

@ObjectType()
export class TenantSettings extends dto(tenantSettings, 'output') {}
represent(tenantSettings, 'output', () => TenantSettings);

@InputType()
export class TenantSettingsInput extends dto(tenantSettingsChange, 'input') {}
represent(tenantSettingsChange, 'input', () => TenantSettingsInput);

@ObjectType()
export class Tenant extends dto(tenantView, 'output') {}

@InputType()
export class ChangeTenantInput extends dto(changeTenantInput, 'input') {}

@ObjectType()
export class UsageCount extends dto(tenantUsageView.shape.data.element, 'output') {}

@ObjectType()
export class QuotaUsed extends dto(quotaUseView, 'output') {}

@ArgsType()
export class UsageArgs extends dto(tenantUsageInput, 'args') {}

@Resolver(() => Tenant)
export class TenantResolver {
  constructor(
    private readonly commands: CommandBus,
    private readonly queries: QueryBus,
  ) {}

  @Query(() => Tenant, { description: 'The tenant of the credential, its plan and its settings.' })
  @Needs('tenant:read')
  tenant(@CallerOf() caller: Caller): Promise<Tenant> {
    return this.queries.execute(new OwnTenant(caller, {}));
  }

  @Mutation(() => Tenant, {
    description: 'Changes the name or settings of the tenant, if it has that version.',
  })
  @Needs('tenant:write')
  changeTenant(
    @CallerOf() caller: Caller,
    @Args('input') input: ChangeTenantInput,
    @Args('version') version: string,
    @Args('idempotencyKey') idempotencyKey: string,
  ): Promise<Tenant> {
    const change = { name: input.name, settings: input.settings, version };
    return this.commands.execute(new ChangeTenant(caller, change, idempotencyOf(idempotencyKey)));
  }

  @Query(() => [UsageCount], { description: 'Events by day and type.' })
  @Needs('tenant:read')
  async usage(@CallerOf() caller: Caller, @Args() args: UsageArgs): Promise<UsageCount[]> {
    return (await this.queries.execute(new TenantUsage(caller, args))).data;
  }

  @Query(() => [QuotaUsed], { description: 'Quotas of the plan, and how much of each is used.' })
  @Needs('tenant:read')
  quotas(@CallerOf() caller: Caller): Promise<QuotaUsed[]> {
    return this.queries.execute(new QuotaUse(caller, {}));
  }
}
