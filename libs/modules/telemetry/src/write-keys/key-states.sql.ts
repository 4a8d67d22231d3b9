import { statement, type SystemTx } from '@holdfast/database';

/** Something that ingest has to know of a key or a tenant; nulls where there is nothing to tell. */
export interface KeyStateRow {
  readonly as_of_ms: number;
  readonly kind: 'revoked' | 'suspended' | 'erased' | 'plan' | null;
  readonly plan: string | null;
  readonly fingerprint: string | null;
}

// A fingerprint is the beginning of the SHA-256 of the id's bytes, as fingerprintOf makes it. The left join answers one row
// where there is nothing to tell.
const LIST_KEY_STATES = statement<KeyStateRow>(
  'telemetry.list_key_states',
  `select extract(epoch from clock_timestamp())::float8 * 1000 as as_of_ms, s.kind, s.plan,
     rtrim(translate(encode(substring(sha256(uuid_send(s.id)) for 16), 'base64'), '+/', '-_'), '=') as fingerprint
   from (values (1)) one (row)
   left join (
     select 'revoked' as kind, null as plan, k.tenant_id, k.id
     from telemetry.write_keys k
     where k.revoked_at is not null
     union all
     select 'suspended', null, t.id, t.id from auth.tenants t where t.state <> 'active'
     union all
     select 'erased', null, t.id, t.id from auth.tenants t where t.state in ('erasing', 'erased')
     union all
     select 'plan', t.plan, t.id, t.id from auth.tenants t where t.plan <> 'standard' and t.state = 'active'
   ) s on true
   order by s.kind, s.plan, s.tenant_id, s.id
   limit $1`,
);

/** What ingest has to know of keys and tenants, of all tenants. */
export async function listKeyStates(tx: SystemTx, limit: number): Promise<readonly KeyStateRow[]> {
  return tx.last(LIST_KEY_STATES, [limit]);
}
