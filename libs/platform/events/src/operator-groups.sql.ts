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

/** A request to act on a whole group. The same key acts once. */
export interface ActingOnGroup extends Acting {
  readonly requestKey?: string | undefined;
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

const PAUSE = statement(
  'events.pause_group',
  `with paused as (
     update events.groups
     set paused_at = clock_timestamp(), paused_by = $2, paused_reason = $3
     where name = $1 and paused_at is null
     returning name
   )
   insert into events.group_actions (group_name, action, acted_by, reason, request_key)
   select name, 'pause', $2, $3, $4 from paused`,
);

const RESUME = statement(
  'events.resume_group',
  `with resumed as (
     update events.groups
     set paused_at = null, paused_by = null, paused_reason = null
     where name = $1 and paused_at is not null
     returning name
   )
   insert into events.group_actions (group_name, action, acted_by, reason, request_key)
   select name, 'resume', $2, $3, $4 from resumed`,
);

const REPLAY = statement(
  'events.replay_group',
  `with begun as (
     update events.groups
     set generation = generation + 1, from_tick = least(from_tick, $5)
     where name = $1 and (replay = 'idempotent' or (replay = 'reset' and $5 = 0))
     returning name, generation
   )
   insert into events.group_actions (group_name, action, acted_by, reason, request_key, generation, to_tick)
   select name, 'replay', $2, $3, $4, generation, $5 from begun`,
);

const ACTED = statement<{ action: string; toTick: bigint | null }>(
  'events.find_group_action',
  `select action, to_tick as "toTick"
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

/** What a request with this key did to the group, if it did anything. */
export function findGroupAction(
  tx: SystemTx,
  group: string,
  requestKey: string,
): Promise<{ readonly action: string; readonly toTick: bigint | null } | undefined> {
  return tx.row(ACTED, [group, requestKey]);
}

/** Stops the group's deliveries: each process ends the page under way, and begins no other. False where it was paused. */
export async function pauseGroup(tx: SystemTx, group: string, acting: ActingOnGroup): Promise<boolean> {
  return (await tx.execute(PAUSE, valuesOf(group, acting))) === 1;
}

/** Lets the group go on where it stood; within about a second. False where it was not paused. */
export async function resumeGroup(tx: SystemTx, group: string, acting: ActingOnGroup): Promise<boolean> {
  return (await tx.execute(RESUME, valuesOf(group, acting))) === 1;
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
): Promise<boolean> {
  return (await tx.execute(REPLAY, [...valuesOf(group, acting), toTick])) === 1;
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

function valuesOf(group: string, { actor, reason, requestKey }: ActingOnGroup): unknown[] {
  return [group, actor, reason, requestKey ?? null];
}
