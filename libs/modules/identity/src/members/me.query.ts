import { idSchema } from '@holdfast/kernel';
import { TenantQuery } from '@holdfast/cqrs';
import { type IQueryHandler, QueryHandler } from '@nestjs/cqrs';
import { z } from 'zod';

/** Who calls, as the credential says. */
export const meView = z.object({
  tenantId: idSchema,
  actor: z.string().meta({ description: 'As on events: `member:<id>` or `api_key:<id>`.' }),
  memberId: idSchema.nullable(),
  permissions: z.array(z.string()).meta({ description: '`*` for all.' }),
  plan: z.string(),
  act: z.string().nullable().meta({ description: 'The operator who acts for the tenant.' }),
});

/** Who calls and what they may do: what a user interface asks first. */
export class Me extends TenantQuery<Record<string, never>, z.output<typeof meView>> {
  readonly scope = 'tenant:read';
}

const MEMBER = 'member:';

@QueryHandler(Me)
export class MeHandler implements IQueryHandler<Me> {
  execute({ caller }: Me): Promise<z.output<typeof meView>> {
    const { tenantId, actor, scopes, plan, act = null } = caller;
    const memberId = actor.startsWith(MEMBER) ? actor.slice(MEMBER.length) : null;
    return Promise.resolve({ tenantId, actor, memberId, permissions: [...scopes], plan, act });
  }
}
