/** Of all lanes, what one tenant may have: a backlog of one, or a partner of one that is slow, leaves the others three quarters. */
const TENANT_SHARE = 1 / 4;

/** Lanes of a process: how many sagas it works on at a time, in all and of one tenant. */
export class SagaLanes {
  private taken = 0;
  private readonly byTenant = new Map<string, number>();
  private readonly tenantMax: number;

  constructor(private readonly lanesMax: number) {
    this.tenantMax = Math.max(1, Math.floor(lanesMax * TENANT_SHARE));
  }

  /** Whether one is free for the tenant. */
  isFree(tenantId: string): boolean {
    return this.taken < this.lanesMax && (this.byTenant.get(tenantId) ?? 0) < this.tenantMax;
  }

  /** Takes one; answers how it is given back, once. */
  take(tenantId: string): () => void {
    this.count(tenantId, 1);
    return () => this.count(tenantId, -1);
  }

  /** Tenants that have their share. */
  get tenantsAtShare(): string[] {
    return [...this.byTenant].flatMap(([tenantId, lanes]) => (lanes < this.tenantMax ? [] : tenantId));
  }

  private count(tenantId: string, more: 1 | -1): void {
    this.taken += more;
    const lanes = (this.byTenant.get(tenantId) ?? 0) + more;
    if (lanes > 0) this.byTenant.set(tenantId, lanes);
    else this.byTenant.delete(tenantId);
  }
}
