import { statement, type SystemTx } from '@holdfast/database';

/** A consumer group as operators see it. Its lag is what the leader last measured; null before that. */
export interface GroupView {
  readonly group: string;
  readonly kind: 'tenant' | 'store';
  readonly replay: 'idempotent' | 'reset' | 'never';
  readonly registeredAt: Date;
  readonly pausedAt: Date | null;
  readonly pausedBy: string | null;
  readonly pausedReason: string | null;
  readonly laggingKeys: bigint | null;
  /** 10,001 stands for more than 10,000. */
  readonly laggingEvents: bigint | null;
  readonly lagSeconds: number | null;
  readonly parkedKeys: bigint | null;
  readonly parkedEvents: bigint | null;
  readonly quarantinedKeys: bigint | null;
  readonly measuredAt: Date | null;
}

/** Something that an operator did to a whole group. */
export interface GroupActionView {
  readonly action: 'pause' | 'resume' | 'replay';
  readonly actedAt: Date;
  readonly actedBy: string;
  readonly reason: string;
  /** The tick that a replay began behind. */
  readonly toTick: bigint | null;
}

/** Who acts, and why. */
export interface Acting {
  readonly actor: string;
  readonly reason: string;
}

/** A request to act on a whole group, with its idempotency key. The same one acts once; `replayed` says that it had. */
export interface ActingOnGroup extends Acting {
  readonly request?: { readonly key: string; replayed: boolean } | undefined;
}

const GROUPS = statement<GroupView>(
  'events.list_groups',
  `select g.name as "group", g.kind, g.replay, g.registered_at as "registeredAt", g.paused_at as "pausedAt",
     g.paused_by as "pausedBy", g.paused_reason as "pausedReason", l.lagging_keys as "laggingKeys",
     l.lagging_events as "laggingEvents", l.lag_seconds as "lagSeconds", l.parked_keys as "parkedKeys",
     l.parked_events as "parkedEvents", l.quarantined_keys as "quarantinedKeys", l.measured_at as "measuredAt"
   from events.groups g
   left join events.group_lags l on l.group_name = g.name
   where $1::text is null or g.name = $1
   order by g.name
   limit 200`,
);

const ACTIONS = statement<GroupActionView>(
  'events.list_group_actions',
  `select action, acted_at as "actedAt", acted_by as "actedBy", reason, to_tick as "toTick"
   from events.group_actions
   where group_name = $1
   order by id desc
   limit $2`,
);

const LOCK = statement(
  'events.lock_group',
  'select name from events.groups where name = $1 for no key update',
);

const PAUSE = statement(
  'events.pause_group',
  `update events.groups
   set paused_at = clock_timestamp(), paused_by = $2, paused_reason = $3
   where name = $1 and paused_at is null`,
);

const RESUME = statement(
  'events.resume_group',
  `update events.groups
   set paused_at = null, paused_by = null, paused_reason = null
   where name = $1 and paused_at is not null`,
);

const NOTE = statement(
  'events.insert_group_action',
  `insert into events.group_actions (group_name, action, acted_by, reason, request_key, request_hash)
   values ($1, $2, $3, $4, $5, $6)`,
);

const REPLAY = statement(
  'events.replay_group',
  `with begun as (
     update events.groups
     set generation = generation + 1, from_tick = least(from_tick, $6)
     where name = $1 and (replay = 'idempotent' or (replay = 'reset' and $6 = 0))
     returning name, generation
   )
   insert into events.group_actions (group_name, action, acted_by, reason, request_key, request_hash, generation, to_tick)
   select name, 'replay', $2, $3, $4, $5, generation, $6 from begun`,
);

const ACTED = statement<{ hash: string | null; toTick: bigint | null }>(
  'events.find_group_action',
  `select request_hash as hash, to_tick as "toTick"
   from events.group_actions
   where group_name = $1 and request_key = $2`,
);

const TICK = statement<{ id: bigint; madeAt: Date }>(
  'events.find_replay_start',
  `select t.id, t.created_at as "madeAt"
   from events.ticks t
   where ($1::bigint is null or t.id <= $1) and (t.id = 0 or $2::timestamptz is null or t.created_at <= $2)
   order by t.id desc
   limit 1`,
);

/** All groups that workers have registered, or the one; by name. */
export function listGroups(tx: SystemTx, group?: string): Promise<GroupView[]> {
  return tx.rows(GROUPS, [group ?? null]);
}

/** What operators did to the group, last first. */
export function listGroupActions(tx: SystemTx, group: string, limit: number): Promise<GroupActionView[]> {
  return tx.rows(ACTIONS, [group, limit]);
}

/** Locks the group's row, so that of two requests with one key the second sees what the first did. */
export async function lockGroup(tx: SystemTx, group: string): Promise<boolean> {
  return (await tx.execute(LOCK, [group])) === 1;
}

/** What a request with this key did to the group, if it came before. */
export function findGroupAction(
  tx: SystemTx,
  group: string,
  requestKey: string,
): Promise<{ readonly hash: string | null; readonly toTick: bigint | null } | undefined> {
  return tx.row(ACTED, [group, requestKey]);
}

/** Stops the group's deliveries: each process ends the page under way, and begins no other. False where it was paused. */
export async function pauseGroup(
  tx: SystemTx,
  group: string,
  acting: ActingOnGroup,
  hash: string,
): Promise<boolean> {
  await tx.execute(NOTE, [group, 'pause', ...valuesOf(acting, hash)]);
  return (await tx.execute(PAUSE, [group, acting.actor, acting.reason])) === 1;
}

/** Lets the group go on where it stood; within about a second. False where it was not paused. */
export async function resumeGroup(
  tx: SystemTx,
  group: string,
  acting: ActingOnGroup,
  hash: string,
): Promise<boolean> {
  await tx.execute(NOTE, [group, 'resume', ...valuesOf(acting, hash)]);
  return (await tx.execute(RESUME, [group])) === 1;
}

/**
 * Takes the group back to `toTick` for all tenants: each cursor goes before its next delivery, and none goes ahead. False
 * where the group's declaration does not allow it.
 */
export async function replayGroup(
  tx: SystemTx,
  group: string,
  toTick: bigint,
  acting: ActingOnGroup,
  hash: string,
): Promise<boolean> {
  return (await tx.execute(REPLAY, [group, ...valuesOf(acting, hash), toTick])) === 1;
}

/**
 * The newest tick that is kept at or before a position or an instant: whatever was committed after either is behind it, and
 * a little more, since old ticks are thinned. The log's beginning where there is none.
 */
export async function findReplayStart(
  tx: SystemTx,
  { tick, at }: { readonly tick?: bigint | undefined; readonly at?: Date | undefined },
): Promise<{ readonly tick: bigint; readonly madeAt: Date | null }> {
  const found = await tx.row(TICK, [tick ?? null, at ?? null]);
  return { tick: found?.id ?? 0n, madeAt: found && found.id > 0n ? found.madeAt : null };
}

function valuesOf({ actor, reason, request }: ActingOnGroup, hash: string): unknown[] {
  return [actor, reason, request?.key ?? null, request ? hash : null];
}
