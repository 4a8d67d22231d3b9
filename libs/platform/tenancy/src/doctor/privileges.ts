/**
 * What a role may do, in the words of GRANT: `select` for a whole table, `update (body, closed_at)` for columns of it.
 * Functions stand here by name and schema; a name stands for all of its overloads.
 */
export interface RolePrivileges {
  readonly schemas?: readonly string[];
  readonly tables?: Readonly<Record<string, readonly string[]>>;
  readonly functions?: readonly string[];
  /** Roles own nothing but what stands here. */
  readonly owns?: readonly string[];
}

const CONTEXT_FUNCTIONS = [
  'act',
  'actor',
  'enter',
  'grant_actor',
  'grant_principal',
  'scopes',
  'tenant_id',
].map((name) => `tenancy.${name}`);

/**
 * The role × table and role × function matrix of the whole database; what is not here, nobody may.
 *
 * The doctor compares it with the catalogue and finds what is granted beyond it, to these roles and to PUBLIC, and what
 * a role lacks. A migration that grants adds its line here in the same commit. `holdfast_owner` owns everything and is
 * no process; that it cannot step around policies is rules 2 and 3.
 */
export const PRIVILEGES: Readonly<Record<string, RolePrivileges>> = {
  // Business SQL under row-level security. Mints no grant, reads no credential, and writes to the log only by events.append.
  holdfast_app: {
    schemas: [
      'audit',
      'auth',
      'events',
      'idempotency',
      'identity',
      'ledger',
      'tenancy',
      'tenants',
      'webhooks',
    ],
    tables: {
      'audit.breaks': ['select', 'insert', 'update', 'delete'],
      'audit.checkpoints': ['select'],
      'audit.cosignatures': ['select', 'insert', 'update'],
      'audit.disclosures': ['select', 'insert', 'delete'],
      'audit.epochs': ['select'],
      'audit.export_chunks': ['select', 'insert', 'delete'],
      'audit.exports': ['select', 'insert', 'update'],
      'audit.leaves': ['select'],
      'audit.legal_holds': ['select', 'insert', 'update'],
      'audit.log_keys': ['select'],
      'audit.offers': ['select', 'insert', 'update', 'delete'],
      'audit.receipt_keys': ['select'],
      'audit.requests': ['select', 'insert', 'delete'],
      'audit.retention': ['select', 'insert', 'update'],
      'audit.subject_erasures': ['select', 'insert', 'update'],
      'audit.subject_keys': ['select', 'insert', 'update'],
      'audit.tiles': ['select'],
      'audit.trees': ['select'],
      'audit.vaults': ['select', 'insert', 'update'],
      'audit.witnesses': ['select', 'insert', 'delete'],
      'events.group_actions': ['select (group_name, generation, to_tick)'],
      'events.groups': ['select (name, from_tick, paused_at, generation)'],
      'events.lineage': ['select (id, stopped_at, server_started_at)'],
      'events.log': ['select'],
      'events.parked_events': ['select', 'insert', 'update', 'delete'],
      'events.parked_keys': ['select', 'insert', 'update', 'delete'],
      'events.store_cursors': ['select (group_name, from_tick, generation, rewind_to)'],
      'events.tenant_cursors': ['select', 'insert', 'update'],
      'events.ticks': ['select (id, snapshot)'],
      'idempotency.answers': ['select', 'insert', 'update', 'delete'],
      'identity.api_keys': ['select', 'insert', 'update'],
      'identity.credential_addresses': ['select', 'insert', 'update', 'delete'],
      'identity.credential_uses': ['select', 'insert', 'update'],
      'identity.support_accesses': ['select', 'insert', 'update (ended_at, ended_by)'],
      'identity.invitations': ['select', 'insert', 'update'],
      'identity.issuers': ['select', 'insert', 'update', 'delete'],
      'identity.members': ['select', 'insert', 'update'],
      'identity.roles': ['select', 'insert', 'update', 'delete'],
      'ledger.accounts': [
        'select',
        'insert',
        'update (posted_debits, posted_credits, pending_debits, pending_credits, version, last_booked_at, closed_at, metadata, revision)',
      ],
      'ledger.books': ['select', 'insert', 'update (closed_through, revision)'],
      'ledger.breaks': ['select', 'insert', 'update (last_seen_at)', 'delete'],
      'ledger.controls': ['select', 'insert', 'update'],
      'ledger.keys': ['select', 'insert'],
      'ledger.timeouts': ['select', 'insert', 'delete'],
      'ledger.transfers': ['select', 'insert'],
      'tenancy.exemptions': ['select'],
      'tenancy.not_exported': ['select'],
      'tenants.export_chunks': ['select', 'insert', 'delete'],
      'tenants.exports': ['select', 'insert', 'update'],
      'tenants.tasks': ['select', 'insert', 'update', 'delete'],
      'tenants.tenants': ['select', 'insert', 'update'],
      'tenants.usage_counts': ['select', 'insert', 'update', 'delete'],
      'webhooks.attempts': ['select', 'insert', 'update', 'delete'],
      'webhooks.deliveries': ['select', 'insert', 'update', 'delete'],
      'webhooks.endpoints': ['select', 'insert', 'update', 'delete'],
      'webhooks.lanes': ['select', 'insert', 'update', 'delete'],
      'webhooks.secrets': ['select', 'insert', 'update', 'delete'],
    },
    functions: [
      ...CONTEXT_FUNCTIONS,
      'auth.open_support_access',
      'auth.end_membership',
      'auth.set_memberships',
      'auth.store_membership',
      'auth.own_tenant',
      'auth.revoke_credential',
      'auth.rotate_credential',
      'auth.set_tenant',
      'auth.store_credential',
      'events.append',
      'events.consumed_snapshot',
      'events.read_tenant_range',
      'events.read_tenant_span',
      'events.take_page',
      'ledger.balances_at',
      'ledger.clock',
      'ledger.drop_timeouts',
      'ledger.post_batch',
      'ledger.post_items',
      'ledger.replay_items',
      'ledger.request_text',
      'ledger.version_before',
      'ledger.write_totals',
      'tenancy.begin_import',
      'tenancy.count_rows',
      'tenancy.erase_page',
      'tenancy.export_page',
      'tenancy.export_tables',
      'tenancy.finish_import',
      'tenancy.import_page',
      'tenancy.prune_log',
      'tenancy.settings',
      'tenancy.store_receipt',
      'tenancy.tenant_tables',
    ],
  },

  // Turns credentials into grants, and touches no table.
  holdfast_auth: {
    schemas: ['auth'],
    functions: [
      'auth.grant_for_key',
      'auth.grant_for_member',
      'auth.grant_for_system',
      'auth.owners_of_keys',
      'auth.register_receipt_key',
      'auth.revocation_counter',
      'auth.settling_grant_for_key',
      'auth.settling_grant_for_member',
      'auth.tenant_named',
      'auth.tenants_of',
    ],
  },

  // Orders the log of all tenants, hands it to stores, and sees which tenants have work that is due.
  holdfast_relay: {
    schemas: ['audit', 'events', 'ledger', 'tenants', 'webhooks'],
    tables: {
      'audit.breaks': ['select (tenant_id)'],
      'audit.offers': ['select (tenant_id, witness, tick, due_at, lease_until, failures, waiting_since)'],
      'audit.witnesses': ['select (tenant_id, verifier_key)'],
      'events.group_actions': ['select'],
      'events.group_lags': ['select', 'insert', 'update'],
      'events.groups': ['select', 'insert', 'update'],
      'events.heads': ['select', 'insert', 'update'],
      'events.leases': ['select', 'update'],
      'events.lineage': ['select'],
      'events.log': ['select'],
      'events.parked_events': ['select', 'insert', 'update', 'delete'],
      'events.parked_keys': ['select', 'insert', 'update', 'delete'],
      'events.store_cursors': ['select', 'insert', 'update'],
      'events.tenant_cursors': ['select'],
      'events.ticks': ['select', 'insert', 'delete'],
      'ledger.breaks': ['select (tenant_id)'],
      'ledger.controls': ['select (tenant_id, tick, full_due_at, lease_until)'],
      'ledger.timeouts': ['select (tenant_id, expires_at)'],
      'tenants.tasks': ['select (tenant_id, kind, id, due_at, lease_until)'],
      'webhooks.endpoints': ['select (tenant_id)'],
      'webhooks.lanes': ['select (tenant_id, due_at)'],
    },
    functions: ['events.read_range', 'events.tick', 'events.verify_lineage', 'ledger.clock'],
  },

  // Seals the logs of all tenants: reads events, writes trees.
  holdfast_sealer: {
    schemas: ['audit', 'events'],
    tables: {
      'audit.checkpoints': ['select', 'insert', 'update'],
      'audit.epochs': ['select', 'insert'],
      'audit.leaves': ['select', 'insert', 'update', 'delete'],
      'audit.log_keys': ['select', 'insert', 'update'],
      'audit.receipt_keys': ['select', 'update (epoch, leaf, certificate)'],
      'audit.sealer': ['select', 'update'],
      'audit.tiles': ['select', 'insert', 'update', 'delete'],
      'audit.trees': ['select', 'insert', 'update'],
      'events.heads': ['select'],
      'events.lineage': ['select'],
      'events.log': ['select'],
      'events.ticks': ['select (id, snapshot, wal_lsn)'],
    },
    functions: ['events.read_tenant_span'],
  },

  // The operator: lists tenants, and works in one tenant at a time for the rest.
  holdfast_ops: {
    schemas: ['audit', 'auth', 'events', 'idempotency', 'identity', 'ledger', 'tenancy', 'tenants'],
    tables: {
      'audit.breaks': ['select'],
      'audit.checkpoints': ['select'],
      'audit.cosignatures': ['select'],
      'audit.epochs': ['select'],
      'audit.export_chunks': ['select'],
      'audit.exports': ['select'],
      'audit.leaves': ['select'],
      'audit.log_keys': ['select'],
      'audit.receipt_keys': ['select'],
      'audit.tiles': ['select'],
      'audit.trees': ['select'],
      'auth.tenants': ['select'],
      'events.group_actions': ['select', 'insert'],
      'events.group_lags': ['select'],
      'events.groups': ['select', 'update (from_tick, generation, paused_at, paused_by, paused_reason)'],
      'events.lineage': ['select'],
      'events.log': ['select'],
      'events.parked_keys': ['select'],
      'events.ticks': ['select (id, created_at)'],
      'idempotency.answers': ['select', 'insert', 'update', 'delete'],
      'identity.api_keys': ['select', 'insert', 'update'],
      'ledger.accounts': ['select'],
      'ledger.books': ['select'],
      'ledger.keys': ['select'],
      'ledger.timeouts': ['select'],
      'ledger.transfers': ['select'],
      'tenancy.exemptions': ['select'],
      'tenants.erasure_receipts': ['select'],
      'tenants.tenants': ['select'],
      'tenants.usage_counts': ['select'],
    },
    functions: [
      ...CONTEXT_FUNCTIONS,
      'auth.revoke_credential',
      'auth.store_credential',
      'events.append',
      'events.bump_epoch',
      'tenancy.rotate_signing_key',
    ],
  },

  // BullMQ makes and migrates its own tables in this schema, and sees no other.
  holdfast_jobs: { owns: ['jobs'] },

  // Nobody connects as it: it lends its rights to events.append, and to the check at the commit.
  holdfast_log: {
    schemas: ['events', 'tenancy'],
    tables: { 'events.log': ['select', 'insert'] },
    functions: [...CONTEXT_FUNCTIONS, 'tenancy.verified_principal'],
    owns: ['events.append', 'tenancy.refuse_unannounced'],
  },

  public: {},
};
