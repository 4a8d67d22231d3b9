import { type Configs, readConfig } from '@holdfast/config';
import { createLogger } from '@holdfast/observability';
import { printOutcome, showStep } from '../output';
import { makeDemo } from './demo';
import {
  DevRefused,
  ingestIn,
  openDevDirectory,
  resetDevDirectory,
  signerIn,
  vaultIn,
} from './dev-directory';
import { type DevFile, removeDevFile, writeDevFile } from './dev-file';
import { takeDevLock } from './dev-lock';
import { choosePort } from './dev-ports';
import { type DevSecrets, openDevSecrets } from './dev-secrets';
import { devTable } from './dev-table';
import { type Engine, prepareDatabase, startClickHouse, startPostgres } from './engines';
import { type DevPorts, type PartsOptions, startParts } from './parts';
import { listenForStop } from './stop-signals';

/** What the command line asks of `holdfast dev`. */
export interface DevOptions {
  readonly port?: number;
  readonly reset: boolean;
  readonly demo: boolean;
}

/** A start that is under way, or done: where it keeps things, and what has to be undone in the end, last first. */
interface Dev {
  readonly config: Configs['dev'];
  readonly options: DevOptions;
  readonly directory: string;
  readonly engines: Engine[];
  readonly undo: AsyncDisposableStack;
  readonly stop: AbortSignal;
}

/**
 * Runs the whole system in this process until a signal asks it to stop.
 *
 * Everything that is started is undone in the opposite order, also when a later step fails or a signal comes in between.
 * Killed with -9 it leaves its lock, dev.json and a PostgreSQL behind; the next start takes the lock over, stops that server
 * and recovers its data.
 */
export async function runDev(options: DevOptions): Promise<void> {
  const config = readConfig('dev');
  const directory = openDevDirectory(config.directory);
  const engines: Engine[] = [];
  const stop = listenForStop();
  // However this process ends, short of kill -9, it leaves no server behind. After an orderly stop there is none.
  process.once('exit', () => engines.forEach((engine) => engine.kill()));
  await using undo = new AsyncDisposableStack();
  undo.defer(takeDevLock(directory));
  // One that a killed process has left: who waits for the file must not find it before everything runs.
  removeDevFile(directory);
  const dev: Dev = { config, options, directory, engines, undo, stop };
  try {
    await start(dev);
    await untilAborted(stop);
  } catch (error) {
    if (!stop.aborted || error !== stop.reason) throw error;
  }
}

async function start(dev: Dev): Promise<void> {
  const { directory, options, undo, stop } = dev;
  if (options.reset) await reset(dev);
  const ports = await choosePorts(dev);
  const secrets = openDevSecrets(directory);
  const adminUrl = await startDatabase(dev, secrets.adminPassword);
  const clickhouseUrl = await startStore(dev);
  stop.throwIfAborted();
  const running = await startServers(dev, {
    ...ports,
    adminUrl,
    clickhouseUrl,
    operatorKey: secrets.operatorKey,
    receiptKey: secrets.receiptKey,
    webhookKey: secrets.webhookKey,
    auditLogKey: secrets.auditLogKey,
    signerDirectory: signerIn(directory),
    vaultKey: secrets.vaultKey,
    vaultDirectory: vaultIn(directory),
    writeKeyPrivate: secrets.writeKeyPrivate,
    ingestDirectory: ingestIn(directory),
  });
  stop.throwIfAborted();
  const { tenants, operatorKey } = await withDemo(dev, running.api, secrets);
  stop.throwIfAborted();
  const file: DevFile = { ...running, tenants };
  undo.defer(() => removeDevFile(directory));
  writeDevFile(directory, file);
  printOutcome(false, file, (shown) => devTable(shown, operatorKey, directory));
}

async function reset({ directory, config }: Dev): Promise<void> {
  await showStep('Reset', async () => {
    await resetDevDirectory(directory);
    return config.databaseAdminUrl === undefined
      ? 'begins anew'
      : 'done; the database of DATABASE_ADMIN_URL is left as it is';
  });
}

/** The port that was asked for is looked at first: a refusal should not take seconds. */
async function choosePorts({ config, options }: Dev): Promise<DevPorts> {
  const asked = options.port ?? config.port;
  const port = await choosePort(asked, USUAL.port);
  if (asked === undefined && port !== USUAL.port) {
    process.stderr.write(
      `  Port ${USUAL.port} is taken, so the API gets ${port}. \`npm start -- --port N\` asks for another.\n`,
    );
  }
  const ingestPort = await choosePort(config.ingestPort, USUAL.ingestPort);
  const metricsPort = await choosePort(config.metricsPort, USUAL.metricsPort);
  return { port, ingestPort, metricsPort };
}

/** Those that separate processes listen on as well. */
const USUAL: DevPorts = { port: 8080, ingestPort: 8081, metricsPort: 9464 };

async function startDatabase(
  { config, directory, engines, undo, stop }: Dev,
  password: string,
): Promise<string> {
  stop.throwIfAborted();
  let url = '';
  await showStep('PostgreSQL', async () => {
    const engine = await startPostgres(directory, password, config.databaseAdminUrl);
    engines.push(engine);
    undo.defer(() => engine.stop());
    url = engine.url;
    return `on port ${new URL(url).port || 5432}`;
  });
  stop.throwIfAborted();
  await showStep('Migrations', async () => {
    const applied = await prepareDatabase(url).catch(refuseForeignSystem);
    return applied.length === 0 ? 'none missing' : `${applied.length} applied`;
  });
  return url;
}

/** Data that other code has left: a developer who changes branches mostly wants to begin anew. */
function refuseForeignSystem(error: unknown): never {
  if (!(error instanceof Error) || error.name !== 'MigrationRefused') throw error;
  throw new DevRefused(`${error.message}\nOr begin anew, without what is stored: npm start -- --reset`, {
    cause: error,
  });
}

async function startStore({ config, directory, engines, undo, stop }: Dev): Promise<string> {
  stop.throwIfAborted();
  let url = '';
  await showStep('ClickHouse', async () => {
    const engine = await startClickHouse(directory, config.clickhouseUrl);
    engines.push(engine);
    undo.defer(() => engine.stop());
    url = engine.url;
    return config.clickhouseUrl === undefined ? 'in this process' : 'as configured';
  });
  return url;
}

async function startServers(
  { config, undo, stop }: Dev,
  wiring: Omit<PartsOptions, 'config' | 'logger' | 'undo' | 'stop'>,
): Promise<Omit<DevFile, 'tenants'>> {
  const logger = createLogger({ app: 'dev', level: config.logLevel ?? 'warn' });
  let running: Omit<DevFile, 'tenants'> | undefined;
  await showStep('API, worker, ingest', async () => {
    running = await startParts({ ...wiring, config, logger, undo, stop });
    return `at ${running.api}`;
  });
  if (!running) throw new Error('the parts started without saying where');
  return running;
}

async function withDemo({ directory, options }: Dev, api: string, secrets: DevSecrets): Promise<DevSecrets> {
  // A demo that an earlier release has made lacks write keys.
  const isComplete = secrets.demoDone && secrets.tenants.every(({ writeKey }) => writeKey !== null);
  if (!options.demo || isComplete) return secrets;
  let made = secrets;
  await showStep('Demo', async (step) => {
    made = await makeDemo(api, directory, secrets, step);
    return `${made.tenants.length} tenants with accounts and transfers`;
  });
  return made;
}

function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    // An event listener alone would not keep the process up; the servers do.
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
