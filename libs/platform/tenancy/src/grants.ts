import { createHash } from 'node:crypto';
import { Database, statement, SystemTx, type Statement } from '@holdfast/database';
import { LRUCache } from 'lru-cache';
import { type Grant, readGrant } from './grant';
import { closedTenant } from './tenancy.errors';

interface Minted {
  readonly signed: string | null;
  /** The database's clock, by which a grant's expiry is reckoned: a process's own may be minutes off. */
  readonly now_ms: number;
}

/** Whose an API key is, or was. */
export interface KeyOwner {
  readonly tenantId: string;
  readonly actor: string;
  readonly act: string | undefined;
}

const GRANT_FOR_KEY = statement<Minted>(
  'auth.grant_for_key',
  'select auth.grant_for_key($1) as signed, extract(epoch from clock_timestamp())::float8 * 1000 as now_ms',
);
const GRANT_FOR_MEMBER = statement<Minted>(
  'auth.grant_for_member',
  'select auth.grant_for_member($1, $2, $3) as signed, extract(epoch from clock_timestamp())::float8 * 1000 as now_ms',
);
const SETTLING_GRANT_FOR_KEY = statement<Minted>(
  'auth.settling_grant_for_key',
  'select auth.settling_grant_for_key($1) as signed, extract(epoch from clock_timestamp())::float8 * 1000 as now_ms',
);
const SETTLING_GRANT_FOR_MEMBER = statement<Minted>(
  'auth.settling_grant_for_member',
  'select auth.settling_grant_for_member($1, $2, $3) as signed, extract(epoch from clock_timestamp())::float8 * 1000 as now_ms',
);
const GRANT_FOR_SYSTEM = statement<Minted>(
  'auth.grant_for_system',
  'select auth.grant_for_system($1, $2, $3, $4) as signed, extract(epoch from clock_timestamp())::float8 * 1000 as now_ms',
);
const TENANTS_OF = statement<{ readonly id: string }>(
  'auth.tenants_of',
  'select t.id from auth.tenants_of($1, $2) t (id)',
);
const TENANT_NAMED = statement<{ readonly id: string | null }>(
  'auth.tenant_named',
  'select auth.tenant_named($1) as id',
);
const OWNERS_OF_KEYS = statement<{ hash: string; tenant_id: string; actor: string; act: string | null }>(
  'auth.owners_of_keys',
  "select encode(secret_hash, 'hex') as hash, tenant_id, actor, act from auth.owners_of_keys($1::bytea[])",
);
const REVOCATION_COUNTER = statement<{ counter: bigint }>(
  'auth.revocation_counter',
  'select auth.revocation_counter() as counter',
);

/** What a grant is for: everything that the credential allows, or only the end of holds, which suspension does not forbid. */
export type GrantPurpose = 'everything' | 'settling';

/** A grant is used until a minute before it ends, so that a slow transaction never meets an expired one. */
const EXPIRY_MARGIN_MS = 60_000;
/** Grants kept per process: at about 400 bytes each, 4 MB. */
const CACHED_MAX = 10_000;
/** How often the revocation counter is read, and for how long a process that cannot read it trusts its cache. */
const POLL_INTERVAL_MS = 2_000;
const CACHE_TRUST_MS = 5_000;

/** A grant that is being minted. */
interface Coming {
  readonly sinceMs: number;
  /** Of revocations, as it was known then. */
  readonly counter: bigint | undefined;
  readonly grant: Promise<Grant | undefined>;
}

const isTrusted = ({ sinceMs }: Coming): boolean => Date.now() - sinceMs < CACHE_TRUST_MS;

/**
 * Turns credentials into signed grants over the auth pool, the one pool that may mint them.
 *
 * Grants of keys and of systems are cached per process. A revocation moves a counter in the database; a process that
 * sees it move, or that has not been able to read it for 5 s, forgets every cached grant. So a revoked key is refused
 * everywhere within 5 s, whatever fails.
 */
export class Grants {
  private readonly cache = new LRUCache<string, Grant>({ max: CACHED_MAX });
  /** Ids of tenants, by what was asked about them. */
  private readonly tenants = new LRUCache<string, readonly string[]>({ max: CACHED_MAX });
  /** Grants that are being minted, by what they are kept under. */
  private readonly coming = new Map<string, Coming>();
  private counter: bigint | undefined;
  private checkedAtMs = 0;
  private timer: NodeJS.Timeout | undefined;
  private polling: Promise<void> | undefined;

  constructor(private readonly auth: Database) {}

  /** The grant of an API key, or undefined when the key is unknown, revoked or expired. Throws TenantSuspended or TenantClosed. */
  forKey(secret: string, purpose: GrantPurpose = 'everything'): Promise<Grant | undefined> {
    const fingerprint = createHash('sha256').update(secret).digest('base64');
    const minting = purpose === 'settling' ? SETTLING_GRANT_FOR_KEY : GRANT_FOR_KEY;
    return this.cached(`${minting.name} ${fingerprint}`, minting, [secret]);
  }

  /**
   * The grant of a person whose token the caller has verified, or undefined without a membership in the tenant. Throws
   * TenantSuspended or TenantClosed.
   */
  forMember(
    issuer: string,
    subject: string,
    tenantId: string,
    purpose: GrantPurpose = 'everything',
  ): Promise<Grant | undefined> {
    const minting = purpose === 'settling' ? SETTLING_GRANT_FOR_MEMBER : GRANT_FOR_MEMBER;
    const values = [issuer, subject, tenantId];
    return this.cached(JSON.stringify([minting.name, ...values]), minting, values);
  }

  /**
   * The grant of a part of the system (a consumer group, the operator) for one tenant. `cause` is the event or request that
   * set the work off, `act` the operator who acts. Throws TenantClosed for a tenant that is being erased.
   */
  async forSystem(consumer: string, tenantId: string, cause = '', act = ''): Promise<Grant> {
    const values = [consumer, tenantId, cause, act];
    const grant = await this.cached(JSON.stringify(['system', ...values]), GRANT_FOR_SYSTEM, values);
    if (!grant) throw new Error('the database minted no system grant');
    return grant;
  }

  /** The tenants of a person whose token the caller has verified: at most two, which tells one from several. */
  tenantsOf(issuer: string, subject: string): Promise<readonly string[]> {
    return this.tenantsFrom(TENANTS_OF, [issuer, subject]);
  }

  /** The tenant that has the slug. Nobody whom that tenant does not know may be told of it. */
  async tenantNamed(slug: string): Promise<string | undefined> {
    return (await this.tenantsFrom(TENANT_NAMED, [slug]))[0];
  }

  /**
   * The tenants and actors of API keys, also of those that open nothing any more, by the hash of the secret in hexadecimal.
   * For the trail of the owner; whoever sent the key is told nothing of it.
   */
  async ownersOf(keyHashes: readonly Buffer[]): Promise<Map<string, KeyOwner>> {
    const rows = await this.auth.transaction(
      (connection) => new SystemTx(connection, 'read only'),
      (tx) => tx.last(OWNERS_OF_KEYS, [keyHashes]),
    );
    return new Map(
      rows.map(({ hash, tenant_id: tenantId, actor, act }) => [
        hash,
        { tenantId, actor, act: act ?? undefined },
      ]),
    );
  }

  /** Begins to watch the revocation counter. Without it nothing is served from the cache for longer than 5 s. */
  watch(): void {
    this.timer ??= setInterval(() => void this.poll(), POLL_INTERVAL_MS).unref();
  }

  close(): void {
    clearInterval(this.timer);
  }

  private async cached(
    key: string,
    mint: Statement<Minted>,
    values: readonly unknown[],
  ): Promise<Grant | undefined> {
    if (Date.now() - this.checkedAtMs > CACHE_TRUST_MS) await this.poll();
    const known = this.cache.get(key);
    if (known) return known;
    // One minting answers all that ask for it meanwhile, as far as a grant from then would be trusted: they would fill the pool.
    const coming = this.coming.get(key);
    if (coming && isTrusted(coming)) {
      const grant = await coming.grant;
      // What was on its way for long, or while something was revoked, may say what is no longer so.
      return isTrusted(coming) && coming.counter === this.counter
        ? grant
        : this.mintAndKeep(key, mint, values);
    }
    const { counter } = this;
    const minting = { sinceMs: Date.now(), counter, grant: this.mintAndKeep(key, mint, values) };
    this.coming.set(key, minting);
    try {
      return await minting.grant;
    } finally {
      if (this.coming.get(key) === minting) this.coming.delete(key);
    }
  }

  private async mintAndKeep(
    key: string,
    mint: Statement<Minted>,
    values: readonly unknown[],
  ): Promise<Grant | undefined> {
    const counterBefore = this.counter;
    const row = await this.mint(mint, values);
    if (!row?.signed) return undefined;
    const grant = readGrant(row.signed);
    // A revocation that was noticed while the grant was on its way may be about this very key.
    const usableMs = grant.expiresAtMs - row.now_ms - EXPIRY_MARGIN_MS;
    if (counterBefore === this.counter && usableMs > 0) this.cache.set(key, grant, { ttl: usableMs });
    return grant;
  }

  /** What is not there is asked for again each time: it may come to be at any moment. */
  private async tenantsFrom(
    asking: Statement<{ readonly id: string | null }>,
    values: readonly string[],
  ): Promise<readonly string[]> {
    if (Date.now() - this.checkedAtMs > CACHE_TRUST_MS) await this.poll();
    const key = JSON.stringify([asking.name, ...values]);
    const known = this.tenants.get(key);
    if (known) return known;
    const counterBefore = this.counter;
    const rows = await this.auth.transaction(
      (connection) => new SystemTx(connection, 'read only'),
      (tx) => tx.last(asking, values),
    );
    const ids = rows.flatMap(({ id }) => id ?? []);
    if (counterBefore === this.counter && ids.length > 0) this.tenants.set(key, ids);
    return ids;
  }

  private forget(): void {
    this.cache.clear();
    this.coming.clear();
    this.tenants.clear();
  }

  private async mint(minting: Statement<Minted>, values: readonly unknown[]): Promise<Minted | undefined> {
    try {
      const [row] = await this.auth.transaction(
        (connection) => new SystemTx(connection, 'read only'),
        (tx) => tx.last(minting, values),
      );
      return row;
    } catch (error) {
      throw closedTenant(error) ?? error;
    }
  }

  /** One look answers all that ask for it meanwhile: they would fill the pool. */
  private poll(): Promise<void> {
    this.polling ??= this.pollOnce().finally(() => {
      this.polling = undefined;
    });
    return this.polling;
  }

  private async pollOnce(): Promise<void> {
    // From when the question was asked: what was revoked while a slow answer was on its way is not in it.
    const askedAtMs = Date.now();
    try {
      const [row] = await this.auth.transaction(
        (connection) => new SystemTx(connection, 'read only'),
        (tx) => tx.last(REVOCATION_COUNTER),
      );
      if (row?.counter !== this.counter) this.forget();
      this.counter = row?.counter;
      this.checkedAtMs = Math.max(this.checkedAtMs, askedAtMs);
    } catch {
      // The database is away: `cached` asks again once the cache is no longer trusted, and its caller learns of it.
      if (Date.now() - this.checkedAtMs > CACHE_TRUST_MS) this.forget();
    }
  }
}
