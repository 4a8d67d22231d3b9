import { ReleaseParkedKey, releaseParkedKeyInput, showParkedKey } from '@holdfast/delivery';
import type { OperatedGroups, ParkedKeyView } from '@holdfast/events';
import { WrongUsage } from './failures';
import { parseInput } from './input';
import { asOperator, type Operator } from './operator';
import { columns, printOutcome } from './output';

interface ListAsked {
  readonly group?: string;
  readonly tenant?: string;
  readonly state: string;
  readonly json?: boolean;
}

interface ReleaseAsked {
  readonly tenant?: string;
  readonly all?: boolean;
  readonly skipFirst?: boolean;
  readonly reason: string;
  readonly json?: boolean;
}

const PAGE = 200;
/** More than anybody releases at once; what is left is released by the same verb again. */
const KEYS_MAX = 100_000;
const STATES = ['quarantined', 'retrying', 'releasing', 'all'] as const;

/** Every parked key that is asked for. */
async function allParked(
  groups: OperatedGroups,
  asked: {
    readonly group?: string | undefined;
    readonly tenantId?: string | undefined;
    readonly state?: ParkedKeyView['state'] | undefined;
  },
): Promise<ParkedKeyView[]> {
  const all: ParkedKeyView[] = [];
  while (all.length < KEYS_MAX) {
    const found = await groups.parkedKeys({ ...asked, after: all.at(-1) }, PAGE);
    all.push(...found);
    if (found.length < PAGE) break;
  }
  return all;
}

async function tenantId({ directory }: Operator, tenant: string | undefined): Promise<string | undefined> {
  return tenant === undefined ? undefined : (await directory.get(tenant)).id;
}

/** Prints what groups have set aside. */
export async function listParked({ group, tenant, state, json }: ListAsked): Promise<void> {
  const known = STATES.find((each) => each === state);
  if (known === undefined) throw new WrongUsage(`Which state? One of ${STATES.join(', ')}.`);
  const keys = await asOperator(async (operator) => {
    const wanted = known === 'all' ? undefined : known;
    const found = await allParked(operator.groups, {
      group,
      tenantId: await tenantId(operator, tenant),
      state: wanted,
    });
    return found.map(showParkedKey);
  });
  printOutcome(json, keys, (found) =>
    columns(
      ['group', 'tenant', 'key', 'state', 'attempts', 'events', 'since', 'error'],
      found.map((key) => [
        key.group,
        key.tenantId,
        key.key,
        key.state,
        String(key.attempts),
        String(key.eventCount),
        key.parkedAt,
        key.lastError ?? '-',
      ]),
    ),
  );
}

/** Lets one quarantined key go on, or all of a group. */
export async function releaseParked(
  group: string,
  key: string | undefined,
  { tenant, all, skipFirst, reason, json }: ReleaseAsked,
): Promise<void> {
  if ((key === undefined) === (all !== true)) throw new WrongUsage('Which key? Name one, or say --all.');
  if (key !== undefined && tenant === undefined) throw new WrongUsage('Whose key? --tenant is needed.');
  const input = parseInput(releaseParkedKeyInput, {
    group,
    key: key ?? '-',
    skipFailed: skipFirst ?? false,
    reason,
  });
  const released = await asOperator(async (operator) => {
    const of = await tenantId(operator, tenant);
    const chosen =
      key !== undefined && of !== undefined
        ? [{ tenantId: of, key }]
        : await allParked(operator.groups, { group, tenantId: of, state: 'quarantined' });
    const done = [];
    for (const each of chosen) {
      const caller = await operator.callerFor(each.tenantId);
      done.push(await operator.commands.execute(new ReleaseParkedKey(caller, { ...input, key: each.key })));
    }
    return done;
  });
  printOutcome(json, released, (done) => {
    const events = done.reduce((sum, { eventCount }) => sum + eventCount, 0);
    return `Released ${done.length} keys with ${events} events: they are delivered in order, within seconds.`;
  });
}
