import { type Database, statement, SystemTx } from '@holdfast/database';

const LIST = statement<{ name: string }>(
  'delivery.list_group_names',
  'select name from events.groups order by name limit 200',
);

/** The names of the consumer groups that workers have registered. */
export async function listGroupNames(app: Database): Promise<string[]> {
  const groups = await app.transaction(
    (connection) => new SystemTx(connection, 'read only'),
    (tx) => tx.rows(LIST),
  );
  return groups.map(({ name }) => name);
}
