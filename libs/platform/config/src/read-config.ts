import { readFileSync } from 'node:fs';
import type { z } from 'zod';
import { type App, type Configs, schemas } from './apps.config';
import { type ConfigFault, ConfigRefused } from './config-refused';
import { isEncrypted, issuersSchema } from './issuers';
import { developmentUrl, loginRoles, roleVariables } from './roles';
import { notesOf } from './variable';

/** Variables by name, as in `process.env`. */
export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Reads and checks the environment for an app; throws ConfigRefused with every fault.
 *
 * An empty value is an absent one, because compose files and charts pass on what nobody has set. `NAME_FILE` names a
 * file (a mounted secret) whose content, without the newline at its end, is the value.
 */
export function readConfig<Name extends App>(
  app: Name,
  environment: Environment = process.env,
): Configs[Name] {
  const faults: ConfigFault[] = [];
  const fields = Object.entries(schemas[app].shape as Record<string, z.ZodType>);
  const values = new Map<string, string>();
  for (const env of new Set([
    ...fields.map(([, schema]) => notesOf(schema).env),
    'DATABASE_ADMIN_URL',
    'NODE_ENV',
  ])) {
    const value = readVariable(env, environment, faults);
    if (value !== undefined) values.set(env, value);
  }
  deriveRoles(values);
  const input = Object.fromEntries(fields.map(([field, schema]) => [field, values.get(notesOf(schema).env)]));
  const parsed = schemas[app].safeParse(input, { reportInput: false });
  for (const issue of parsed.error?.issues ?? []) {
    const schema = (schemas[app].shape as Record<string, z.ZodType>)[String(issue.path[0])];
    const variable = schema ? notesOf(schema).env : String(issue.path[0]);
    if (faults.some((fault) => fault.variable === variable)) continue;
    faults.push({ variable, message: values.has(variable) ? issue.message : 'is missing' });
  }
  faults.push(
    ...queueFaults(app, values),
    ...sealerFaults(app, values),
    ...issuerFaults(app, values),
    ...injectionFaults(values),
    ...kafkaFaults(app, values),
    ...pairFaults(values, 'VAULT_KEY', 'VAULT_DIRECTORY'),
    ...pairFaults(values, 'PARTNER_BANK_URL', 'PARTNER_BANK_SECRET'),
  );
  if (!parsed.success || faults.length > 0) throw new ConfigRefused(app, faults);
  return parsed.data as Configs[Name];
}

/** The same for a `main.ts`: prints the faults and ends the process with 2, the exit code of wrong usage. */
export function configOrExit<Name extends App>(app: Name): Configs[Name] {
  try {
    return readConfig(app);
  } catch (error) {
    if (!(error instanceof ConfigRefused)) throw error;
    process.stderr.write(`${error.message}\n`);
    return process.exit(2);
  }
}

/** The environment of this process with some variables set, for a process that composes others. */
export function environmentWith(values: Environment): Environment {
  const files = Object.keys(values).map((env) => [`${env}_FILE`, undefined] as const);
  return { ...process.env, ...Object.fromEntries(files), ...values };
}

function readVariable(env: string, environment: Environment, faults: ConfigFault[]): string | undefined {
  const value = environment[env] || undefined;
  const file = environment[`${env}_FILE`] || undefined;
  if (file === undefined) return value;
  if (value !== undefined) {
    faults.push({ variable: env, message: `and ${env}_FILE are both set: keep one` });
    return undefined;
  }
  try {
    return readFileSync(file, 'utf8').replace(/\r?\n$/, '') || undefined;
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code ?? 'unreadable';
    faults.push({
      variable: env,
      message: `cannot be read from the file that ${env}_FILE names (${reason})`,
    });
    return undefined;
  }
}

function deriveRoles(values: Map<string, string>): void {
  const adminUrl = values.get('DATABASE_ADMIN_URL');
  if (adminUrl === undefined || !URL.canParse(adminUrl) || values.get('NODE_ENV') === 'production') return;
  for (const role of loginRoles) {
    const env = roleVariables[role];
    if (!values.has(env)) values.set(env, developmentUrl(adminUrl, role));
  }
}

/** The worker keeps its queues in one of two places; neither variable alone can say so. */
function queueFaults(app: App, values: ReadonlyMap<string, string>): ConfigFault[] {
  if (app !== 'worker' || values.has('REDIS_URL') || values.has('DATABASE_JOBS_URL')) return [];
  return [{ variable: 'REDIS_URL', message: 'or DATABASE_JOBS_URL is missing: the queues need one of them' }];
}

/** Whoever signs has to reach the logs, and to remember what it has signed. */
function sealerFaults(app: App, values: ReadonlyMap<string, string>): ConfigFault[] {
  if (app !== 'worker' || !values.has('AUDIT_LOG_KEY_PRIVATE')) return [];
  return ['AUDIT_SIGNER_DIRECTORY', 'DATABASE_SEALER_URL']
    .filter((variable) => !values.has(variable))
    .map((variable) => ({ variable, message: 'is missing: AUDIT_LOG_KEY_PRIVATE is set' }));
}

/** Whoever can read or change what an issuer says over plain HTTP decides who is who. */
function issuerFaults(app: App, values: ReadonlyMap<string, string>): ConfigFault[] {
  if (app !== 'api' || values.get('NODE_ENV') !== 'production') return [];
  const { data: issuers = [] } = issuersSchema.safeParse(values.get('OIDC_ISSUERS'));
  if (issuers.every(({ issuer }) => isEncrypted(issuer))) return [];
  return [{ variable: 'OIDC_ISSUERS', message: 'has to be https:// addresses in production' }];
}

/** What a test does to its own processes is not to be had in production, by mistake or on purpose. */
function injectionFaults(values: ReadonlyMap<string, string>): ConfigFault[] {
  if (!values.has('HOLDFAST_FAULTS') || values.get('NODE_ENV') !== 'production') return [];
  return [{ variable: 'HOLDFAST_FAULTS', message: 'has to be empty in production' }];
}

/** What belongs together, and a password that would go over the network as it is. */
function kafkaFaults(app: App, values: ReadonlyMap<string, string>): ConfigFault[] {
  if ((app !== 'worker' && app !== 'ingest') || !values.has('KAFKA_BROKERS')) return [];
  const faults = [
    ...pairFaults(values, 'KAFKA_USERNAME', 'KAFKA_PASSWORD'),
    ...pairFaults(values, 'KAFKA_TLS_CERT', 'KAFKA_TLS_KEY'),
  ];
  const isPlain = values.get('KAFKA_SASL_MECHANISM') === 'PLAIN' && values.has('KAFKA_USERNAME');
  if (isPlain && values.get('KAFKA_TLS') !== 'on') {
    faults.push({ variable: 'KAFKA_TLS', message: 'has to be on: PLAIN sends the password as it is' });
  }
  return faults;
}

/** Of two variables that say nothing without each other, the one that is missing. */
function pairFaults(values: ReadonlyMap<string, string>, one: string, other: string): ConfigFault[] {
  if (values.has(one) === values.has(other)) return [];
  const [missing, given] = values.has(one) ? [other, one] : [one, other];
  return [{ variable: missing, message: `is missing: ${given} is set` }];
}
