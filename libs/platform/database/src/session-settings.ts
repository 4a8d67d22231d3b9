import { Client, escapeIdentifier, escapeLiteral } from 'pg';

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

/**
 * Makes them the settings of roles in the database of the connection string. A connection of ours says them itself; a
 * pooler between cannot pass them on, and what it sets in a session of its own does not survive the reset that begins
 * each transaction. May run again at any time; sessions that are open keep what they have.
 */
export async function setRoleSettings(adminUrl: string, roles: readonly string[]): Promise<void> {
  const client = new Client({ connectionString: adminUrl, application_name: 'holdfast migrate' });
  await client.connect();
  try {
    const database = escapeIdentifier(client.database ?? '');
    for (const role of roles) {
      for (const [name, value] of Object.entries(SESSION_SETTINGS)) {
        const setting = `${escapeIdentifier(name)} = ${escapeLiteral(String(value))}`;
        await client.query(`alter role ${escapeIdentifier(role)} in database ${database} set ${setting}`);
      }
    }
  } finally {
    await client.end();
  }
}
