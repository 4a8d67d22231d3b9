import { Client } from 'pg';

/**
 * Works in a session of the administrator of a connection string, which ends with the work and with it what the session holds. A
 * connection that is cut fails the statement that is under way, or else the next one.
 */
export async function asAdministrator<T>(adminUrl: string, work: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({ connectionString: adminUrl, application_name: 'holdfast migrate' });
  client.on('error', () => undefined); // Statements fail by themselves; told to nobody, it would end the process.
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
