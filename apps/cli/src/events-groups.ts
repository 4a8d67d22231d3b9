import {
  type ConsumerGroupView,
  groupSchema,
  reasonSchema,
  replayFrom,
  replayFromSchema,
  ReplayTenant,
  showGroup,
  showGroupDetails,
  showReplay,
} from '@holdfast/delivery';
import { findLineage } from '@holdfast/events';
import { WrongUsage } from './failures';
import { parseInput } from './input';
import { asOperator } from './operator';
import { columns, printOutcome } from './output';

interface Asked {
  readonly json?: boolean;
}

interface Acting extends Asked {
  readonly reason: string;
}

/** Where a replay begins, of which one is wanted. */
interface ReplayAsked extends Acting {
  readonly beginning?: boolean;
  readonly at?: string;
  readonly tick?: string;
  readonly tenant?: string;
}

function text(groups: readonly ConsumerGroupView[]): string {
  const rows = groups.map(({ group, kind, pausedAt, lag, parked, measuredAt }) => [
    group,
    kind,
    pausedAt === null ? 'running' : 'paused',
    lag === null ? '-' : countText(lag.events),
    lag === null ? '-' : `${lag.seconds.toFixed(1)} s`,
    parked === null ? '-' : String(parked.events),
    parked === null ? '-' : String(parked.quarantined),
    measuredAt ?? 'never',
  ]);
  return columns(['group', 'kind', 'state', 'lag', 'age', 'parked', 'quarantined', 'measured'], rows);
}

/** The count ends at 10,001. */
const countText = (events: number): string => (events > 10_000 ? 'over 10000' : String(events));

/** Prints how far each group lags, and whether events are stopped. */
export async function showStatus({ json }: Asked): Promise<void> {
  const status = await asOperator(async ({ groups, ops }) => {
    const lineage = await findLineage(ops);
    return {
      groups: (await groups.list()).map(showGroup),
      epoch: lineage?.epoch ?? null,
      stopped: lineage?.stoppedReason ?? null,
    };
  });
  printOutcome(json, status, ({ groups, stopped }) =>
    stopped === null
      ? text(groups)
      : `${text(groups)}\n\nTicks and deliveries are stopped (${stopped}): see \`events epoch bump --help\`.`,
  );
}

/** Prints one group with what was done to it, or all. */
export async function showGroups(group: string | undefined, asked: Asked): Promise<void> {
  if (group === undefined) return showStatus(asked);
  const found = await asOperator(async ({ groups }) =>
    showGroupDetails(await groups.get(group), await groups.actions(group)),
  );
  printOutcome(asked.json, found, (details) => {
    const paused =
      details.pausedAt === null ? '' : `\n\nPaused by ${details.pausedBy}: ${details.pausedReason}`;
    const actions = details.actions.map(({ at, action, by, reason, toTick }) => [
      at,
      toTick === null ? action : `${action} from ${toTick}`,
      by,
      reason,
    ]);
    return `${text([details])}${paused}\n\n${columns(['at', 'action', 'by', 'reason'], actions)}`;
  });
}

/** Stops the deliveries of a group. */
export async function pauseGroup(group: string, { reason, json }: Acting): Promise<void> {
  const acting = acted(group, reason);
  const paused = await asOperator(async ({ groups, name }) =>
    showGroup(await groups.pause(group, { actor: name, ...acting })),
  );
  printOutcome(
    json,
    paused,
    () => `Paused ${group}. \`events resume ${group}\` lets it go on where it stands.`,
  );
}

/** Lets a paused group go on. */
export async function resumeGroup(group: string, { reason, json }: Acting): Promise<void> {
  const acting = acted(group, reason);
  const resumed = await asOperator(async ({ groups, name }) =>
    showGroup(await groups.resume(group, { actor: name, ...acting })),
  );
  printOutcome(json, resumed, () => `Resumed ${group}: it goes on within a second.`);
}

/** Takes a group back, for all tenants or for one. */
export async function replayGroup(
  group: string,
  { beginning, at, tick, tenant, reason, json }: ReplayAsked,
): Promise<void> {
  const asked = [beginning && 'beginning', at && { at }, tick && { tick }].filter(Boolean);
  if (asked.length !== 1) throw new WrongUsage('From where? One of --beginning, --at and --tick is needed.');
  const from = parseInput(replayFromSchema, asked[0]);
  const acting = acted(group, reason);
  const replay = await asOperator(async ({ groups, name, commands, directory, callerFor }) => {
    if (tenant === undefined)
      return showReplay(
        group,
        null,
        await groups.replay(group, replayFrom(from), { actor: name, ...acting }),
      );
    const { id } = await directory.get(tenant);
    const start = await groups.startFor(group, replayFrom(from));
    return commands.execute(new ReplayTenant(await callerFor(id), { group, from, ...acting }, start));
  });
  printOutcome(json, replay, ({ tick: start, madeAt }) => {
    const since = madeAt === null ? 'from the beginning' : `from ${madeAt} (tick ${start})`;
    return `${group} is given again what came ${since}, ${tenant === undefined ? 'in all tenants' : `in ${tenant}`}.`;
  });
}

function acted(group: string, reason: string): { readonly reason: string } {
  parseInput(groupSchema, group, 'group');
  return { reason: parseInput(reasonSchema, reason, '--reason') };
}
