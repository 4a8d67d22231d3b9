import { type Caller, idSchema, newId, NotFound, type Permission, PERMISSION_NAMES } from '@holdfast/kernel';
import { type Idempotency, TenantCommand, TenantCommandHandler } from '@holdfast/cqrs';
import { announcement, settingsOf, type TenantTx } from '@holdfast/tenancy';
import { CommandHandler } from '@nestjs/cqrs';
import { z } from 'zod';
import type { ApiKeySecret } from '../api-key';
import { refusingScopes } from '../api-keys.sql';
import { SupportNotAllowed } from '../identity.errors';
import { supportAccessStarted } from '../identity.events';
import { reasonSchema } from '../reason';
import { showSupportAccess, type SupportAccessView } from './support-access-view';
import { insertSupportAccess } from './support-accesses.sql';

/** As long as it takes to look at a problem. The database refuses more. */
const MINUTES_MAX = 30;

/**
 * What would outlast the access: whoever makes a key, or a member, can come back, a webhook and a witness go on receiving, and what
 * is erased or pruned is gone. The database refuses these as well.
 */
const LASTING: ReadonlySet<Permission> = new Set([
  'keys:write',
  'members:write',
  'roles:write',
  'issuers:write',
  'support:write',
  'webhooks:write',
  'telemetry:write',
  'audit:write',
  'personal:write',
]);
const ALLOWED = PERMISSION_NAMES.filter((name) => !LASTING.has(name));
/** What is kept aside about people is not looked at by the way: who needs it asks for it, and the tenant reads that. */
const READING = ALLOWED.filter((name) => name.endsWith(':read') && name !== 'personal:read');

/** What POST /v1/operator/tenants/{id}/support-access takes. */
export const startSupportAccessInput = z.strictObject({
  reason: reasonSchema,
  minutes: z.int().min(1).max(MINUTES_MAX).default(MINUTES_MAX).meta({ description: 'How long it lasts.' }),
  scopes: z.array(z.enum(ALLOWED)).min(1).max(ALLOWED.length).optional().meta({
    description: 'What it may do; by default read everything but personal values, as far as the member may.',
  }),
  memberId: idSchema
    .optional()
    .meta({ description: 'The member to act for; by default nobody in particular.' }),
});

/** The operator begins to act for a tenant, for a reason that the tenant can read, and for half an hour at most. */
export class StartSupportAccess extends TenantCommand<
  z.output<typeof startSupportAccessInput>,
  SupportAccessView
> {
  readonly scope = 'operator';

  constructor(
    caller: Caller,
    input: z.output<typeof startSupportAccessInput>,
    readonly secret: ApiKeySecret,
    idempotency?: Idempotency,
  ) {
    super(caller, input, idempotency);
  }
}

@CommandHandler(StartSupportAccess)
export class StartSupportAccessHandler extends TenantCommandHandler<StartSupportAccess> {
  protected async handle(tx: TenantTx, { input, secret }: StartSupportAccess): Promise<SupportAccessView> {
    if (!(await settingsOf(tx)).supportAccessAllowed) throw new SupportNotAllowed();
    const { reason, minutes, scopes = READING, memberId = null } = input;
    const narrow = input.scopes === undefined;
    const access = { id: newId(), reason, minutes, scopes, memberId, narrow };
    const row = await refusingScopes(() => insertSupportAccess(tx, access, secret.hash));
    if (!row) throw new NotFound();
    const shown = showSupportAccess(row);
    await tx.announce(
      announcement(
        supportAccessStarted,
        { id: row.id, version: 1n },
        { memberId, scopes: shown.scopes, expiresAt: shown.expiresAt },
      ),
    );
    return shown;
  }
}
