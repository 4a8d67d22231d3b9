import { type Caller, deterministicId, type Principal } from '@holdfast/kernel';
import { type Idempotency, TenantCommand, TenantCommandHandler } from '@holdfast/cqrs';
import { admitMember } from '@holdfast/identity';
import type { TenantTx } from '@holdfast/tenancy';
import { CommandHandler } from '@nestjs/cqrs';
import type { z } from 'zod';
import type { createTenantInput } from './create-tenant.command';
import { foundTenant } from './found-tenant';
import { showTenant, type TenantView } from './tenant-view';
import { SignedUpAlready } from './tenants.errors';

/** The one tenant that a person can sign up. That it is one follows from its id, whatever is asked at the same time. */
export function tenantIdOf({ issuer, subject }: Principal): string {
  return deterministicId('sign-up', issuer, subject);
}

/** A person begins a tenant of their own and is its owner. The caller is the system, in the tenant that is to be. */
export class SignUp extends TenantCommand<z.output<typeof createTenantInput>, TenantView> {
  readonly scope = 'operator';

  constructor(
    caller: Caller,
    input: z.output<typeof createTenantInput>,
    readonly principal: Principal,
    idempotency?: Idempotency,
  ) {
    super(caller, input, idempotency);
  }
}

@CommandHandler(SignUp)
export class SignUpHandler extends TenantCommandHandler<SignUp> {
  protected async handle(tx: TenantTx, { input, principal }: SignUp): Promise<TenantView> {
    const tenant = await foundTenant(tx, input, () => new SignedUpAlready());
    const { issuer, subject } = principal;
    await admitMember(tx, { issuer, subject, role: 'owner', source: 'sign-up' });
    return showTenant(tenant);
  }
}
