import { setTimeout as sleep } from 'node:timers/promises';
import type { Caller } from '@holdfast/kernel';
import { CallerOf, Needs } from '@holdfast/http';
import { TenantDatabase, type TenantTx } from '@holdfast/tenancy';
import { Module } from '@nestjs/common';
import { Args, Int, Query, Resolver } from '@nestjs/graphql';

/** Without tenant_id, so that nothing but the transaction decides whose names these are. */
const NAMES = {
  name: 'test.ambient_names',
  text: 'select name from identity.api_keys order by name limit 10',
};
const FAIL = {
  name: 'test.ambient_fail',
  text: 'select 1 / (count(*) - count(*)) as none from identity.api_keys',
};

/** Reads in a transaction of its own, or, with the flaw, in that of whoever came last. */
export class Names {
  isAmbient = false;
  private current: TenantTx | undefined;

  constructor(private readonly tenants: TenantDatabase) {}

  read(caller: Caller, pauseMs: number): Promise<string[]> {
    return this.tenants.reading(caller, async (tx) => {
      this.current = tx;
      await sleep(Math.abs(pauseMs));
      const own = this.isAmbient ? this.current : tx;
      if (pauseMs < 0) await own.rows(FAIL);
      return (await own.rows<{ name: string }>(NAMES)).map(({ name }) => name);
    });
  }
}

@Resolver()
class NamesResolver {
  constructor(private readonly names: Names) {}

  /** A pause below zero ends in an error of the database. */
  @Query(() => [String], { nullable: true })
  @Needs('keys:read')
  keyNames(
    @CallerOf() caller: Caller,
    @Args('pauseMs', { type: () => Int }) pauseMs: number,
  ): Promise<string[]> {
    return this.names.read(caller, pauseMs);
  }
}

/** A module whose fields of one request run side by side. */
@Module({
  providers: [
    { provide: Names, useFactory: (tenants: TenantDatabase) => new Names(tenants), inject: [TenantDatabase] },
    NamesResolver,
  ],
})
export class AmbientModule {}
