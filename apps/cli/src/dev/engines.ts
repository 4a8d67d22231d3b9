import { developmentPassword, loginRoles } from '@holdfast/config';
import { migrate, setRolePasswords } from '@holdfast/database';
import { ClickHouseFront, EmbeddedPostgres, openChdb } from '@holdfast/embedded';
import { clickhouseIn, postgresIn } from './dev-directory';

/** An engine that runs: its connection string, and how to stop it in order and at once. */
export interface Engine {
  readonly url: string;
  stop(): Promise<void>;
  /** For the last moment of the process: does not wait. */
  kill(): void;
}

/** PostgreSQL of our own on the directory, or the server that is configured, which is nobody's to stop. */
export async function startPostgres(
  directory: string,
  password: string,
  configuredUrl: string | undefined,
): Promise<Engine> {
  if (configuredUrl !== undefined) return { url: configuredUrl, stop: async () => {}, kill: () => {} };
  const server = await EmbeddedPostgres.start({ directory: postgresIn(directory), password });
  let runs = true;
  const stop = async (): Promise<void> => {
    await server.stop();
    runs = false;
  };
  // Once it has stopped, its process id may become another program's.
  return { url: server.url(), stop, kill: () => void (runs && killServer(server.pid)) };
}

/** Applies missing migrations and gives the roles the passwords that follow from the administrator's. */
export async function prepareDatabase(adminUrl: string): Promise<readonly string[]> {
  const applied = await migrate(adminUrl);
  const passwords = loginRoles.map((role) => [role, developmentPassword(adminUrl, role)] as const);
  await setRolePasswords(adminUrl, Object.fromEntries(passwords));
  return applied;
}

/**
 * ClickHouse inside this process behind its HTTP interface, or the server that is configured. Through the interface all
 * parts here are configured as they are in production, and a second local process can share the store.
 */
export async function startClickHouse(directory: string, configuredUrl: string | undefined): Promise<Engine> {
  if (configuredUrl !== undefined) return { url: configuredUrl, stop: async () => {}, kill: () => {} };
  const connection = await openChdb(clickhouseIn(directory));
  const front = await ClickHouseFront.start(connection);
  const stop = async (): Promise<void> => {
    await front.close();
    await connection.close();
  };
  return { url: front.url, stop, kill: () => {} };
}

function killServer(pid: number): void {
  try {
    // An immediate shutdown: no checkpoint; the next start recovers from the log.
    if (pid > 0) process.kill(pid, 'SIGQUIT');
  } catch {
    // It has gone already.
  }
}
