// Rows for every table of a tenant that no command of the specs fills; $1 is the tenant.

/** People of a tenant, how they came and what was seen of them: what only an issuer, or time, could make otherwise. */
export const PEOPLE = `
  with role as (
    insert into identity.roles (tenant_id, id, name, permissions)
    select $1::uuid, gen_random_uuid(), 'role ' || n, '{ledger:read}' from generate_series(1, 20) n
    returning id),
  member as (
    insert into identity.members (tenant_id, id, issuer, subject, email, role_id, source)
    select $1, gen_random_uuid(), 'https://id.example.com', $1 || ' ' || n, n || '@example.com', (select min(id::text)::uuid from role), 'added'
    from generate_series(1, 200) n
    returning id, issuer, subject),
  membership as (
    insert into auth.memberships (issuer, subject, tenant_id, member_id, scopes)
    select issuer, subject, $1, id, '{ledger:read}' from member),
  invitation as (
    insert into identity.invitations (tenant_id, id, token_hash, email, built_in_role, created_by, expires_at)
    select $1, gen_random_uuid(), sha256(convert_to($1 || ' ' || n, 'utf8')), 'guest@example.com', 'member', 'member:x', now()
    from generate_series(1, 50) n),
  issuer as (
    insert into identity.issuers (tenant_id, id, issuer, claim, claim_value)
    select $1, gen_random_uuid(), 'https://id.example.com', 'org', 'o' || n from generate_series(1, 5) n),
  support as (
    insert into identity.support_accesses (tenant_id, id, operator, scopes, reason, expires_at)
    select $1, gen_random_uuid(), 'operator:ann', '{ledger:read}', 'to have rows to erase', now() from generate_series(1, 10) n),
  vault as (
    insert into audit.vaults (tenant_id, key_id) values ($1, gen_random_uuid())),
  subject as (
    insert into audit.subject_keys (tenant_id, subject, key_id, wrapped)
    select $1, gen_random_uuid(), gen_random_uuid(), decode(repeat('00', 60), 'hex') from generate_series(1, 20) n
    returning subject),
  trail_export as (
    insert into audit.exports (tenant_id, id, format, requested_by)
    select $1, gen_random_uuid(), 'csv', 'member:x' from generate_series(1, 5) n
    returning id),
  trail_chunk as (
    insert into audit.export_chunks (tenant_id, export_id, first_byte, byte_count, body)
    select $1, id, 0, 1, decode('00', 'hex') from trail_export),
  request as (
    insert into audit.requests (tenant_id, id, request_id, actor, route, status, address, answered_at)
    select $1, gen_random_uuid(), 'request ' || n, 'api_key:x', 'POST /v1/x', 201, '127.0.0.1', now()
    from generate_series(1, 20) n),
  log_break as (
    insert into audit.breaks (tenant_id, id, kind, epoch, message, last_seen_at)
    values ($1, gen_random_uuid(), 'tile', 1, 'to have rows to erase', now())),
  disclosure as (
    insert into audit.disclosures (tenant_id, event_id, path, subject, sealed)
    select $1, gen_random_uuid(), 'email', subject, decode(repeat('00', 90), 'hex') from subject),
  erased as (
    insert into audit.subject_erasures (tenant_id, subject, related, status, requested_by)
    select $1, gen_random_uuid(), '{}', 'erased', 'member:x' from generate_series(1, 5) n),
  kept as (
    insert into audit.retention (tenant_id) values ($1)),
  hold as (
    insert into audit.legal_holds (tenant_id, id, reason, placed_by, lifted_by, lifted_at)
    select $1, gen_random_uuid(), 'a case that is over', 'member:x', 'member:x', now() from generate_series(1, 5) n),
  parked as (
    insert into events.parked_keys (tenant_id, group_name, key, state, attempts, event_count)
    select $1, 'usage', 'probe/' || n, 'quarantined', 8, 1 from generate_series(1, 10) n),
  behind as (
    insert into events.parked_events (tenant_id, group_name, key, place, event_id)
    select $1, 'usage', 'probe/' || n, 1, gen_random_uuid() from generate_series(1, 10) n),
  used as (
    insert into identity.credential_uses (tenant_id, credential, last_used_at, last_address)
    select $1, 'api_key:' || n, now(), '127.0.0.1' from generate_series(1, 20) n
    returning credential),
  write_key as (
    insert into telemetry.write_keys (tenant_id, id, name, created_by)
    select $1, gen_random_uuid(), 'key ' || n, 'member:x' from generate_series(1, 10) n)
  insert into identity.credential_addresses (tenant_id, credential, address, first_used_at, last_used_at)
  select $1, credential, '127.0.0.1', now(), now() from used`;

/** What the ledger keeps besides accounts and transfers. The timeouts are far away, so that no sweeper comes for them; nor does a control. */
export const LEDGER = `
  with key as (
    insert into ledger.keys (tenant_id, idempotency_key, transfer_id, id_given, fingerprint)
    select $1::uuid, gen_random_uuid(), gen_random_uuid(), false, sha256('x') from generate_series(1, 100) n),
  timeout as (
    insert into ledger.timeouts (tenant_id, hold_id, expires_at)
    select $1, gen_random_uuid(), now() + interval '1 year' from generate_series(1, 10) n),
  control as (
    insert into ledger.controls (tenant_id, tick, full_due_at) values ($1, 9223372036854775807, 'infinity')),
  break as (
    insert into ledger.breaks (tenant_id, id, rule, relation, row_id, expected)
    select $1, gen_random_uuid(), 'sum', 'ledger.accounts', 'EUR/' || n, 'none' from generate_series(1, 5) n)
  insert into ledger.books (tenant_id, closed_through) values ($1, '2020-01-01')`;

/** Webhooks with what was delivered to them; all is under way elsewhere, so that no worker sends to nowhere or tidies up. */
export const WEBHOOKS = `
  with endpoint as (
    insert into webhooks.endpoints (tenant_id, id, url, event_types, signing, created_by, disabled_at, disabled_reason)
    select $1::uuid, gen_random_uuid(), 'https://example.com/' || n, '{*}', 'hmac-sha256', 'member:x', now(), 'tenant'
    from generate_series(1, 5) n
    returning id),
  secret as (
    insert into webhooks.secrets (tenant_id, id, endpoint_id, scheme, sealed, key_id)
    select $1, gen_random_uuid(), id, 'hmac-sha256', decode(repeat('00', 60), 'hex'), 'test' from endpoint),
  delivery as (
    insert into webhooks.deliveries (tenant_id, id, endpoint_id, event_id, event_type, stream, seq, status)
    select $1, gen_random_uuid(), id, gen_random_uuid(), 'a.b.made', 'a.b/' || n, n, 'delivered'
    from endpoint cross join generate_series(1, 100) n
    returning id),
  lane as (
    insert into webhooks.lanes (tenant_id, endpoint_id, stream, due_at, holder)
    select $1, id, 'a.b/' || n, 'infinity', gen_random_uuid() from endpoint cross join generate_series(1, 10) n)
  insert into webhooks.attempts (tenant_id, delivery_id, number, started_at, outcome, latency_ms, url, request_headers)
  select $1, id, 1, now(), 'delivered', 5, 'https://example.com/', '{}' from delivery`;

/** The sealed log, who cosigns it and has; nothing is offered before its time. */
export const SEALED_LOG = `
  with tree as (
    insert into audit.trees (tenant_id, epoch, lineage, size, earlier)
    values ($1::uuid, 1, 1, 1, pg_current_snapshot())),
  epoch as (
    insert into audit.epochs (tenant_id, epoch, entry) values ($1, 1, '{}')),
  tile as (
    insert into audit.tiles (tenant_id, epoch, level, tile, width, hashes)
    select $1, 1, 0, n, 1, decode(repeat('00', 32), 'hex') from generate_series(0, 9) n),
  leaf as (
    insert into audit.leaves (tenant_id, epoch, tile, event_ids, prints)
    select $1, 1, n, array[gen_random_uuid()], decode(repeat('00', 32), 'hex') from generate_series(0, 9) n),
  checkpoint as (
    insert into audit.checkpoints (tenant_id, epoch, hour, size, root, note)
    values ($1, 1, '2026-01-01Z', 1, decode(repeat('00', 32), 'hex'), 'note')),
  witness as (
    insert into audit.witnesses (tenant_id, id, verifier_key, url, created_by)
    select $1, gen_random_uuid(), 'witness-' || n, 'https://example.com/' || n, 'member:x' from generate_series(1, 5) n
    returning verifier_key),
  offer as (
    insert into audit.offers (tenant_id, witness, tick, due_at)
    select $1, verifier_key, 9223372036854775807, 'infinity' from witness)
  insert into audit.cosignatures (tenant_id, epoch, witness, size, note, signatures, cosigned_at)
  select $1, 1, verifier_key, 1, 'note', 'signature', now() from witness`;

/** One that has ended: open ones would keep the tenant from being erased. */
export const SAGAS = `with saga as (
    insert into sagas.sagas (tenant_id, id, name, hash, state, input, due_at, deadline_at, correlation_id, started_by, ended_at)
    values ($1, gen_random_uuid(), 'test.trip', '0', 'completed', '{}', null, now(), 'none', 'member:x', now()))
  insert into sagas.participations (tenant_id, id, saga_id, name, step, state)
  values ($1, gen_random_uuid(), gen_random_uuid(), 'test.trip', 'hotel', 'completed')`;

/** A payment that has ended, and a clearing account. */
export const PAYMENTS = `with payment as (
    insert into payments.payments (tenant_id, id, direction, counterparty_id, account_id, amount, asset, status, ended_at)
    values ($1, gen_random_uuid(), 'incoming', gen_random_uuid(), gen_random_uuid(), 5, 'EUR/2', 'compensated', now()))
  insert into payments.clearings (tenant_id, counterparty_id, asset, account_id)
  values ($1, gen_random_uuid(), 'EUR/2', gen_random_uuid())`;
