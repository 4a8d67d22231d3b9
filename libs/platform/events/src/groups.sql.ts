import { type Database, statement, SystemTx } from '@holdfast/database';
import type { ConsumerDeclaration } from './consumer';
import { relaying } from './ticks.sql';

const REGISTER = statement<{ kind: string }>(
  'events.register_group',
  `insert into events.groups as g (name, kind, replay, from_tick)
   values ($1, $2, $3, case when $4 = 'now' then (select max(t.id) from events.ticks t) else 0 end)
   on conflict (name) do update set replay = excluded.replay
   where g.replay <> excluded.replay and g.kind = excluded.kind
   returning kind`,
);

const KIND = statement<{ kind: string }>(
  'events.find_group_kind',
  'select kind from events.groups where name = $1',
);

/** A group was registered under this name that is of another kind. Its cursors mean something else. */
export class GroupKindChanged extends Error {
  override readonly name = 'GroupKindChanged';
}

/**
 * Makes the group known, where it is not. It begins at the log's beginning, or at its last tick (`from: 'now'`) as the first
 * worker found it: whatever commits later is the group's. Throws GroupKindChanged.
 */
export async function registerGroup(
  relay: Database,
  { group, kind, replay, from }: Pick<ConsumerDeclaration, 'group' | 'kind' | 'replay' | 'from'>,
): Promise<void> {
  const found = await relaying(relay, async (tx) => {
    const stored = await tx.row(REGISTER, [group, kind, replay, from]);
    return stored ?? tx.row(KIND, [group]);
  });
  if (found?.kind !== kind)
    throw new GroupKindChanged(`the group ${group} was registered as a ${found?.kind}`);
}

const NAMES = statement<{ name: string }>(
  'events.list_group_names',
  'select name from events.groups order by name limit 200',
);

/** The names of the groups that workers have registered, as the application's role may read them. */
export async function listGroupNames(app: Database): Promise<string[]> {
  const groups = await app.transaction(
    (connection) => new SystemTx(connection, 'read only'),
    (tx) => tx.rows(NAMES),
  );
  return groups.map(({ name }) => name);
}
