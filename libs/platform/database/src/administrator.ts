import { Client } from 'pg';
import { CONNECTION_SETTINGS, KEEP_ALIVE } from './connection-settings';

/** Some times what a loaded server takes for a connection. */
const CONNECT_TIMEOUT_MS = 30_000;
/** As statements, and not when the session begins: an administrator's connection string may lead to a pooler, or have options of its own. */
const SETTINGS = 'select set_config(name, value, false) from json_each_text($1) setting (name, value)';

/**
 * Works in a session of the administrator of a connection string, which ends with the work and with it what the session holds. A
 * connection that is cut fails the statement that is under way, or else the next one; one that the network has cut off without a word
 * does so half a minute later, at either end. Throws as well where the server does not let anybody in within `connectTimeoutMs`.
 *
 * What was sent and not acknowledged when the network went away fails after a quarter of an hour only: Node cannot set another time.
 */
export async function asAdministrator<T>(
  adminUrl: string,
  work: (client: Client) => Promise<T>,
  connectTimeoutMs = CONNECT_TIMEOUT_MS,
): Promise<T> {
  const client = new Client({
    connectionString: adminUrl,
    application_name: 'holdfast migrate',
    connectionTimeoutMillis: connectTimeoutMs,
    ...KEEP_ALIVE,
  });
  client.on('error', () => undefined); // Statements fail by themselves; told to nobody, it would end the process.
  await client.connect();
  try {
    await client.query(SETTINGS, [JSON.stringify(CONNECTION_SETTINGS)]);
    return await work(client);
  } finally {
    await client.end();
  }
}
