import { type Configs, environmentWith, readConfig } from '@holdfast/config';
import { WrongUsage } from './failures';
import { readDevFile } from './dev/dev-file';
import { openDevSecrets } from './dev/dev-secrets';

/**
 * The system that a verb is about: what the environment names, or else the `holdfast dev` that runs in this directory.
 * Throws WrongUsage when there is neither.
 */
export function runningSystem(): Configs['cli'] {
  const config = readConfig('cli');
  if (namesDatabase(config)) return config;
  const running = readDevFile(config.directory);
  if (!running) {
    throw new WrongUsage(
      'Which system? No DATABASE_… is set, and no `holdfast dev` runs in this directory. Start one with `npm start`, or set DATABASE_URL and the others (libs/platform/config/README.md).',
    );
  }
  // The roles' URLs follow from the administrator's, as they do for `holdfast dev` itself.
  return readConfig(
    'cli',
    environmentWith({
      DATABASE_ADMIN_URL: running.database.admin,
      NODE_ENV: 'development',
      WRITE_KEY_PRIVATE: openDevSecrets(config.directory).writeKeyPrivate,
    }),
  );
}

/** One of the system's connection strings; throws WrongUsage naming the variable when it is not configured. */
export function required(value: string | undefined, variable: string): string {
  if (value === undefined) throw new WrongUsage(`This needs ${variable}.`);
  return value;
}

function namesDatabase(config: Configs['cli']): boolean {
  return [config.databaseAdminUrl, config.databaseUrl, config.databaseAuthUrl, config.databaseOpsUrl].some(
    (url) => url !== undefined,
  );
}
