import { escapeIdentifier, escapeLiteral } from 'pg';
import { asAdministrator } from './administrator';

/**
 * What a session of ours begins with, and goes back to at every reset. Instants are written and read in UTC. A statement
 * runs for 5 s, a lock is waited for at most 2 s, less than a statement, and a transaction that its process forgot ends
 * after 10 s; all in milliseconds.
 */
export const SESSION_SETTINGS = {
  TimeZone: 'UTC',
  statement_timeout: 5_000,
  lock_timeout: 2_000,
  idle_in_transaction_session_timeout: 10_000,
} as const;

/** The settings that roles have in this database already. */
const MADE = `select r.rolname || ' ' || setting as made
  from pg_db_role_setting s
  join pg_roles r on r.oid = s.setrole
  join pg_database d on d.oid = s.setdatabase
  cross join unnest(s.setconfig) setting
  where d.datname = current_database() and r.rolname = any ($1)`;

/**
 * Makes them the settings of roles in the database of the connection string. A connection of ours says them itself; a
 * pooler between cannot pass them on, and what it sets in a session of its own does not survive the reset that begins
 * each transaction. May run again at any time, and then changes nothing: PostgreSQL fails one of two sessions that
 * alter a role at once. Sessions that are open keep what they have.
 */
export async function setRoleSettings(adminUrl: string, roles: readonly string[]): Promise<void> {
  await asAdministrator(adminUrl, async (client) => {
    const { rows } = await client.query<{ made: string }>(MADE, [roles]);
    const made = new Set(rows.map((row) => row.made));
    const database = escapeIdentifier(client.database ?? '');
    const wanted = roles.flatMap((role) =>
      Object.entries(SESSION_SETTINGS).map(([name, value]) => ({ role, name, value: String(value) })),
    );
    for (const { role, name, value } of wanted.filter(
      (each) => !made.has(`${each.role} ${each.name}=${each.value}`),
    )) {
      const setting = `${escapeIdentifier(name)} = ${escapeLiteral(value)}`;
      await client.query(`alter role ${escapeIdentifier(role)} in database ${database} set ${setting}`);
    }
  });
}
