import { TenantCommand, TenantCommandHandler } from '@holdfast/cqrs';
import type { TenantTx } from '@holdfast/tenancy';
import { CommandHandler } from '@nestjs/cqrs';
import { z } from 'zod';
import { foundTenant } from './found-tenant';
import { type ListedTenantView, showListedTenant } from './tenant-view';
import { TenantExists } from './tenants.errors';

/** What POST /v1/operator/tenants takes. */
export const createTenantInput = z.strictObject({
  slug: z
    .string()
    .regex(
      /^[a-z][a-z0-9-]{1,62}$/,
      'A slug is 2 to 63 lower-case letters, digits and hyphens and begins with a letter.',
    )
    // Where a tenant is named, a UUID is an id: no slug may look like another tenant's.
    .refine((slug) => !z.guid().safeParse(slug).success, 'A slug is no UUID.')
    .meta({ examples: ['acme'] }),
  name: z
    .string()
    .trim()
    .min(1)
    .max(200)
    .meta({ examples: ['Acme Ltd'] }),
});

/** Creates the tenant of its caller: the operator, with a system grant for the id that the tenant is to have. */
export class CreateTenant extends TenantCommand<z.output<typeof createTenantInput>, ListedTenantView> {
  readonly scope = 'operator';
}

@CommandHandler(CreateTenant)
export class CreateTenantHandler extends TenantCommandHandler<CreateTenant> {
  protected async handle(tx: TenantTx, { input }: CreateTenant): Promise<ListedTenantView> {
    return showListedTenant(await foundTenant(tx, input, () => new TenantExists()));
  }
}
