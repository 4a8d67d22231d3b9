import { type Caller, DomainError } from '@holdfast/kernel';
import { CallerOf, Needs } from '@holdfast/http';
import { TenantDatabase } from '@holdfast/tenancy';
import { Controller, Get, Module, Param } from '@nestjs/common';
import { Args, Query, Resolver } from '@nestjs/graphql';

/** Stands in the row, so that PostgreSQL prints it with whatever is wrong with the row. */
export const ROW_VALUE = 'value-of-a-row';

/** Statements that PostgreSQL refuses, each by quoting something that no client may read. */
export const FAILURES = {
  duplicate: `insert into identity.api_keys (tenant_id, id, name, prefix, scopes, created_by)
    select tenancy.tenant_id(), id, '${ROW_VALUE}', 'x', '{}', 'x' from (select gen_random_uuid() as id) k, generate_series(1, 2)`,
  check: `insert into ledger.accounts (tenant_id, id, code, asset, normal_balance)
    values (tenancy.tenant_id(), gen_random_uuid(), '${ROW_VALUE}', 'EUR/2', '${ROW_VALUE}')`,
  missing: `insert into tenants.tenants (tenant_id, slug, name) values (tenancy.tenant_id(), '${ROW_VALUE}', null)`,
  cast: `select '${ROW_VALUE}'::int as value`,
  policy: `insert into identity.api_keys (tenant_id, id, name, prefix, scopes, created_by)
    values (gen_random_uuid(), gen_random_uuid(), '${ROW_VALUE}', 'x', '{}', 'x')`,
  permission: `select secret from tenancy.signing_keys`,
  unknown: `select no_such_column from events.log`,
} as const;

type Failure = keyof typeof FAILURES;

/** An error of the database as the driver gives it. */
type DatabaseError = Error &
  Readonly<Partial<Record<'detail' | 'hint' | 'constraint' | 'table' | 'where', string>>>;

/** Shows to the caller what was meant for the log, as a handler may that wants to be helpful. */
class Helpful extends DomainError {
  readonly code = 'test.helpful';
  readonly kind = 'refused';
}

/** Runs what fails, and keeps what PostgreSQL said. */
export class Failing {
  isHelpful = false;
  last: DatabaseError | undefined;

  constructor(private readonly tenants: TenantDatabase) {}

  async run(caller: Caller, failure: Failure): Promise<never> {
    const statement = { name: `test.failing_${failure}`, text: FAILURES[failure] };
    try {
      await this.tenants.transaction(caller, (tx) => tx.rows(statement));
    } catch (error) {
      this.last = error as DatabaseError;
      if (this.isHelpful) throw new Helpful(`${this.last.message} ${this.last.detail ?? ''}`);
      throw error;
    }
    throw new Error(`${failure} did not fail`);
  }
}

/** What of the error stands in an answer, by the name that PostgreSQL's protocol gives it. */
export function shownOf(error: DatabaseError | undefined, answer: string): string[] {
  if (!error) return ['there was no error'];
  const { message, detail, hint, constraint, table, where } = error;
  const parts = { message, detail, hint, constraint, table, where, row: ROW_VALUE };
  // As it stands in JSON.
  return Object.entries(parts)
    .filter(([, text]) => text && answer.includes(JSON.stringify(text).slice(1, -1)))
    .map(([name]) => name);
}

@Controller('v1/failing')
class FailingController {
  constructor(private readonly failing: Failing) {}

  @Get(':failure')
  @Needs('tenant:read')
  fail(@CallerOf() caller: Caller, @Param('failure') failure: Failure): Promise<never> {
    return this.failing.run(caller, failure);
  }
}

@Resolver()
class FailingResolver {
  constructor(private readonly failing: Failing) {}

  @Query(() => String, { name: 'failing', nullable: true })
  @Needs('tenant:read')
  fail(
    @CallerOf() caller: Caller,
    @Args('failure', { type: () => String }) failure: Failure,
  ): Promise<never> {
    return this.failing.run(caller, failure);
  }
}

/** A module of which every route meets an error of the database. */
@Module({
  controllers: [FailingController],
  providers: [
    {
      provide: Failing,
      useFactory: (tenants: TenantDatabase) => new Failing(tenants),
      inject: [TenantDatabase],
    },
    FailingResolver,
  ],
})
export class FailingModule {}
