/**
 * Where the keys of tenants are: outside the database, so that no backup of it opens what was erased. `KeyDirectory` keeps
 * them in files. A key management service would keep a key per tenant and version, wrap and unwrap nothing here, and destroy
 * at once: a service that only schedules a destruction leaves what was erased readable until then.
 */
export interface TenantKeys {
  /** Makes a key that outlasts a crash from here on. Of an id that is there, nothing is changed. */
  create(tenantId: string, keyId: string): Promise<void>;
  /** The key of 32 bytes; undefined where there is none, or none any more. Throws where that cannot be known. */
  find(tenantId: string, keyId: string): Promise<Buffer | undefined>;
  /** Destroys every key of the tenant but this one, for good. Done again, it finds nothing. */
  destroyOthers(tenantId: string, keptId: string): Promise<void>;
  /** Destroys every key of a tenant that is no more. */
  destroyAll(tenantId: string): Promise<void>;
}
