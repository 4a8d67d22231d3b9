import type { GroupActionView, GroupView, ParkedKeyView, ReplayStart } from '@holdfast/events';
import { z } from 'zod';

const instant = z.iso.datetime().nullable();

/** A consumer group as operators see it over HTTP. */
export const consumerGroupView = z.object({
  group: z.string(),
  kind: z.enum(['tenant', 'store']),
  replay: z
    .enum(['idempotent', 'reset', 'never'])
    .meta({ description: 'From anywhere; from the beginning only, after a reset; or never.' }),
  registeredAt: z.iso.datetime(),
  pausedAt: instant,
  pausedBy: z.string().nullable(),
  pausedReason: z.string().nullable(),
  lag: z
    .object({
      keys: z.int().meta({ description: 'Tenants that lag; 1 for a store.' }),
      events: z.int().meta({ description: 'At most 10,001, which stands for more than 10,000.' }),
      seconds: z.number().meta({ description: 'Age of the oldest event that has not taken effect.' }),
    })
    .nullable(),
  parked: z.object({ keys: z.int(), events: z.int(), quarantined: z.int() }).nullable(),
  measuredAt: instant.meta({ description: 'When the leader measured lag and parked; null before that.' }),
});
/** See `consumerGroupView`. */
export type ConsumerGroupView = z.output<typeof consumerGroupView>;

/** A group with what operators did to it, last first. */
export const consumerGroupDetailsView = consumerGroupView.extend({
  actions: z.array(
    z.object({
      action: z.enum(['pause', 'resume', 'replay']),
      at: z.iso.datetime(),
      by: z.string(),
      reason: z.string(),
      toTick: z.string().nullable(),
    }),
  ),
});

/** A key that a group has set aside for a tenant. */
export const parkedKeyView = z.object({
  tenantId: z.uuid(),
  group: z.string(),
  key: z.string(),
  state: z.enum(['retrying', 'quarantined', 'releasing']),
  attempts: z.int(),
  eventCount: z.int().meta({ description: 'Events that wait, the one that failed included.' }),
  failedEventId: z.uuid().nullable(),
  lastError: z.string().nullable(),
  parkedAt: z.iso.datetime(),
  retryAt: instant,
});

/** Where a replay begins in fact. */
export const replayView = z.object({
  group: z.string(),
  tenantId: z.uuid().nullable(),
  tick: z.string().meta({ description: 'What was committed after this tick is delivered again.' }),
  madeAt: instant.meta({ description: 'When the tick was made; null at the beginning of the log.' }),
});

/** The group for HTTP and the command line. */
export function showGroup(view: GroupView): ConsumerGroupView {
  const { group, kind, replay, registeredAt, pausedAt, pausedBy, pausedReason, measuredAt } = view;
  const isMeasured = measuredAt !== null;
  return {
    group,
    kind,
    replay,
    registeredAt: registeredAt.toISOString(),
    pausedAt: pausedAt?.toISOString() ?? null,
    pausedBy,
    pausedReason,
    lag: isMeasured
      ? {
          keys: Number(view.laggingKeys),
          events: Number(view.laggingEvents),
          seconds: Math.round((view.lagSeconds ?? 0) * 1_000) / 1_000,
        }
      : null,
    parked: isMeasured
      ? {
          keys: Number(view.parkedKeys),
          events: Number(view.parkedEvents),
          quarantined: Number(view.quarantinedKeys),
        }
      : null,
    measuredAt: measuredAt?.toISOString() ?? null,
  };
}

/** The group with its actions. */
export function showGroupDetails(
  view: GroupView,
  actions: readonly GroupActionView[],
): z.output<typeof consumerGroupDetailsView> {
  return {
    ...showGroup(view),
    actions: actions.map(({ action, actedAt, actedBy, reason, toTick }) => ({
      action,
      at: actedAt.toISOString(),
      by: actedBy,
      reason,
      toTick: toTick?.toString() ?? null,
    })),
  };
}

/** The key for HTTP and the command line. */
export function showParkedKey(view: ParkedKeyView): z.output<typeof parkedKeyView> {
  return {
    ...view,
    eventCount: Number(view.eventCount),
    parkedAt: view.parkedAt.toISOString(),
    retryAt: view.retryAt?.toISOString() ?? null,
  };
}

/** The replay for HTTP and the command line. */
export function showReplay(
  group: string,
  tenantId: string | null,
  { tick, madeAt }: ReplayStart,
): z.output<typeof replayView> {
  return { group, tenantId, tick: tick.toString(), madeAt: madeAt?.toISOString() ?? null };
}
