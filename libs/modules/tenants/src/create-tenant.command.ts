import { TenantCommand, TenantCommandHandler } from '@holdfast/cqrs';
import { violates } from '@holdfast/database';
import { announcement, type TenantTx } from '@holdfast/tenancy';
import { CommandHandler } from '@nestjs/cqrs';
import { z } from 'zod';
import { type ListedTenantView, showListedTenant, type TenantRow } from './tenant-view';
import { SlugTaken, TenantExists } from './tenants.errors';
import { tenantCreated } from './tenants.events';
import { insertTenant } from './tenants.sql';

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
    const row = await insertRefusing(tx, input.slug, input.name);
    await tx.announce(announcement(tenantCreated, { id: tx.tenantId, version: 1n }, { slug: input.slug }));
    return showListedTenant(row);
  }
}

async function insertRefusing(tx: TenantTx, slug: string, name: string): Promise<TenantRow> {
  try {
    return await insertTenant(tx, slug, name);
  } catch (error) {
    if (violates(error, 'tenants_pkey')) throw new TenantExists();
    throw violates(error, 'tenants_slug_key') ? new SlugTaken() : error;
  }
}
