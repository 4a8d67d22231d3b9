import type { Caller, Principal } from '@holdfast/kernel';
import { counter } from '@holdfast/observability';
import { announcement, callerOf, type Grant, Grants, TenantClosed, TenantDatabase } from '@holdfast/tenancy';
import { Injectable } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { LRUCache } from 'lru-cache';
import { MemberExists } from '../members/members.errors';
import { memberSignedIn } from '../members/members.events';
import { admittedRole } from './admission';
import { FollowClaims } from './follow-claims.command';
import { LIST_SIGN_IN, markSignedIn, type SignInRow } from './sign-ins.sql';

/** For so long a token is not looked at again in a tenant: after it, a changed mapping holds for tokens in use as well. */
const FOLLOWED_MS = 60_000;
/** Tokens that a process remembers; at about 200 bytes each, 2 MB. Forgetting one costs a look at the database. */
const REMEMBERED_MAX = 10_000;

const unrecorded = counter({
  name: 'holdfast_sign_ins_unrecorded_total',
  help: 'Sign-ins that could not be recorded as events; the requests went on.',
});

type Origin = Pick<Caller, 'requestId' | 'traceparent' | 'committed'>;

/** What happens when a token is first used in a tenant: membership follows the issuer's claims, and the trail says so. */
@Injectable()
export class SignIns {
  private readonly followed = new LRUCache<string, true>({ max: REMEMBERED_MAX, ttl: FOLLOWED_MS });
  private readonly recorded = new LRUCache<string, true>({ max: REMEMBERED_MAX });

  constructor(
    private readonly grants: Grants,
    private readonly tenants: TenantDatabase,
    private readonly commands: CommandBus,
  ) {}

  /** Before the grant: makes, changes or ends the membership as the tenant's mapping says. Throws QuotaExceeded. */
  async follow(principal: Principal, tenantId: string, origin: Origin): Promise<void> {
    const key = keyOf(principal, tenantId);
    if (this.followed.has(key)) return;
    try {
      const caller = callerOf(await this.grants.forSystem('identity', tenantId), origin);
      const values = [tenantId, principal.issuer, principal.subject];
      const known = await this.tenants.rows(caller, LIST_SIGN_IN, values);
      if (isBehind(known, principal)) await this.commands.execute(new FollowClaims(caller, principal));
      if (known[0]?.source) this.followed.set(key, true);
    } catch (error) {
      // Closed: the grant says so to its members, and nothing to others. Made meanwhile: another request was as early.
      if (!(error instanceof TenantClosed || error instanceof MemberExists)) throw error;
    }
  }

  /**
   * Behind the grant, and not waited for: a sign-in that cannot be recorded is counted, and the request goes on. So it is in
   * no receipt.
   */
  record(principal: Principal, grant: Grant, { requestId, traceparent }: Origin): void {
    const key = keyOf(principal, grant.tenantId);
    if (this.recorded.has(key)) return;
    this.recorded.set(key, true);
    const id = grant.actor.replace('member:', '');
    this.tenants
      .transaction(callerOf(grant, { requestId, traceparent }), async (tx) => {
        const version = await markSignedIn(tx, id, principal.tokenHash);
        if (version !== undefined) await tx.announce(announcement(memberSignedIn, { id, version }, {}));
      })
      .catch(() => unrecorded.inc());
  }
}

function keyOf({ tokenHash }: Principal, tenantId: string): string {
  return `${tokenHash.toString('base64')} ${tenantId}`;
}

/** Whether the claims say something else than the membership does. */
function isBehind(known: readonly SignInRow[], { claims }: Principal): boolean {
  const { source = null, role = null } = known[0] ?? {};
  const mappings = known.flatMap(({ claim, ...rest }) => (claim === null ? [] : { claim, ...rest }));
  const given = admittedRole(mappings, claims);
  return source === null ? given !== undefined : source === 'issuer' && given !== role;
}
