import type { Caller, Principal } from '@holdfast/kernel';
import { type Grant, type GrantPurpose, Grants } from '@holdfast/tenancy';
import { Injectable } from '@nestjs/common';
import { SignIns } from '../issuers/sign-ins';
import { NoMembership, TenantNotChosen, TenantNotYours } from './tokens.errors';

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** Turns a verified principal into a grant for one tenant. */
@Injectable()
export class PrincipalGrants {
  constructor(
    private readonly grants: Grants,
    private readonly signIns: SignIns,
  ) {}

  /**
   * The grant for the tenant that the token names; else for the one that the request chooses; else for the only one. Throws
   * TenantNotYours, with one answer whether there is such a tenant or not.
   */
  async grantFor(
    principal: Principal,
    chosen: string | undefined,
    origin: Pick<Caller, 'requestId' | 'traceparent'>,
    purpose?: GrantPurpose,
  ): Promise<Grant> {
    const tenantId = await this.tenantOf(principal, chosen);
    await this.signIns.follow(principal, tenantId, origin);
    const grant = await this.grants.forMember(principal.issuer, principal.subject, tenantId, purpose);
    if (!grant) throw new TenantNotYours();
    this.signIns.record(principal, grant, origin);
    return grant;
  }

  private async tenantOf(principal: Principal, chosen: string | undefined): Promise<string> {
    const { issuer, subject, tenant } = principal;
    if (tenant !== undefined) {
      const named = UUID.test(tenant) ? tenant.toLowerCase() : await this.grants.tenantNamed(tenant);
      requireSameTenant(named, chosen);
      if (named === undefined) throw new TenantNotYours();
      return named;
    }
    if (chosen !== undefined) {
      if (!UUID.test(chosen)) throw new TenantNotYours();
      return chosen.toLowerCase();
    }
    const [only, ...others] = await this.grants.tenantsOf(issuer, subject);
    if (only === undefined) throw new NoMembership();
    if (others.length > 0) throw new TenantNotChosen();
    return only;
  }
}

/** Refuses a request whose header names another tenant than its credential. A header that is ignored would mislead. */
export function requireSameTenant(tenantId: string | undefined, chosen: string | undefined): void {
  if (chosen !== undefined && chosen.toLowerCase() !== tenantId) throw new TenantNotYours();
}
