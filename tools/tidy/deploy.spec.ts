import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type App, ConfigRefused, readConfig } from '@holdfast/config';
import { root } from './tree';

/** What this looks at of a compose file; the rest is for Docker. */
interface Service {
  readonly build?: { readonly context: string; readonly dockerfile: string; readonly target: string };
  readonly environment?: Readonly<Record<string, string>>;
  readonly secrets?: readonly string[];
  readonly depends_on?: Readonly<Record<string, unknown>>;
}
interface Compose {
  readonly services: Readonly<Record<string, Service>>;
  readonly secrets: Readonly<Record<string, { readonly file: string }>>;
}

const read = (file: string): string => readFileSync(path.join(root, file), 'utf8');
// The parser is the one that swagger brings: it is asked for by way of swagger, whose dependency it is.
const { load } = createRequire(require.resolve('@nestjs/swagger'))('js-yaml') as {
  readonly load: (text: string) => unknown;
};
const folder = 'deploy/compose';
const composeText = read(`${folder}/compose.yaml`);
const compose = load(composeText) as Compose;
const dockerfile = read('deploy/docker/Dockerfile');
/** Services that run an image of ours, and the app whose configuration each reads. */
const apps: Readonly<Record<string, App>> = {
  api: 'api',
  worker: 'worker',
  ingest: 'ingest',
  migrate: 'migrate',
  cli: 'cli',
};

/** Who reads which variable, as the generated table says. */
function readersOf(): ReadonlyMap<string, readonly string[]> {
  const rows = read('libs/platform/config/README.md').matchAll(/^\| `([A-Z_]+)` \| ([a-z, ]+) \|/gm);
  return new Map([...rows].map(([, name = '', readers = '']) => [name, readers.split(', ')]));
}

/** The environment of a service in which mounted secrets are files of the directory. */
function environmentOf(service: Service, directory: string): Record<string, string> {
  const entries = Object.entries({
    NODE_ENV: 'production',
    HOLDFAST_HOST: '0.0.0.0',
    ...service.environment,
  });
  return Object.fromEntries(entries.map(([name, value]) => [name, value.replace('/run/secrets', directory)]));
}

function faultsOf(app: App, environment: Record<string, string>): readonly string[] {
  try {
    readConfig(app, environment);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigRefused)) throw error;
    return error.faults.map(({ variable, message }) => `${variable} ${message}`);
  }
}

describe('compose.yaml', () => {
  const parent = mkdtempSync(path.join(tmpdir(), 'holdfast-secrets-'));
  const directory = path.join(parent, 'secrets');
  const makeSecrets = (): string =>
    execFileSync('sh', [path.join(root, folder, 'make-secrets.sh'), directory], {
      encoding: 'utf8',
      stdio: 'pipe',
    });
  beforeAll(() => void makeSecrets());
  afterAll(() => rmSync(parent, { recursive: true }));

  test('says in its first lines that CI does not run it', () => {
    expect(composeText.split('\n').slice(0, 3).join('\n')).toMatch(/Not run in CI/);
  });

  test('builds every app, from a Dockerfile that has the target', () => {
    const built = Object.entries(compose.services).filter(([, { build }]) => build);
    expect(built.map(([name]) => name).toSorted()).toEqual(Object.keys(apps).toSorted());
    for (const [, { build }] of built) {
      expect(path.resolve(root, folder, build?.context ?? '')).toBe(root);
      expect(existsSync(path.join(root, build?.dockerfile ?? ''))).toBe(true);
      expect(dockerfile).toContain(`\nFROM process AS ${build?.target}\n`);
    }
  });

  test.each(Object.entries(apps))('gives %s a configuration that it accepts', (name, app) => {
    const service = compose.services[name]!;
    expect(faultsOf(app, environmentOf(service, directory))).toEqual([]);
  });

  test.each(['api', 'worker', 'ingest', 'migrate'] as const)(
    'gives %s nothing that it could do without',
    (name) => {
      const service = compose.services[name]!;
      for (const left of Object.keys(service.environment ?? {})) {
        const { [left]: _, ...others } = environmentOf(service, directory);
        const variable = left.replace(/_FILE$/, '');
        // Without its hash the operator's routes are off, without Redis each API process counts requests by itself, without
        // the log's key a worker seals nothing, without theirs no write keys are made, without ingest's address the API records no
        // activity, and without their URLs `migrate` sets fewer passwords.
        const optional = [
          'OPERATOR_KEY_HASH',
          'WEBHOOK_SECRETS_KEY',
          'AUDIT_LOG_KEY_PRIVATE',
          'WRITE_KEY_PRIVATE',
          'HOLDFAST_INGEST_URL',
          ...(name === 'api' ? ['REDIS_URL'] : []),
        ];
        if (optional.includes(variable) || (name === 'migrate' && variable !== 'DATABASE_ADMIN_URL'))
          continue;
        expect(faultsOf(apps[name]!, others).join()).toContain(variable);
      }
    },
  );

  test('names only variables that the process reads', () => {
    const readers = readersOf();
    for (const [name, app] of Object.entries(apps)) {
      for (const variable of Object.keys(compose.services[name]?.environment ?? {})) {
        expect(readers.get(variable.replace(/_FILE$/, '')) ?? [`${variable}: nobody`]).toContain(app);
      }
    }
  });

  test('mounts the secrets that it names, and make-secrets.sh makes them, once', () => {
    for (const [name, { environment = {}, secrets = [] }] of Object.entries(compose.services)) {
      const used = Object.values(environment).filter((value) => value.startsWith('/run/secrets/'));
      expect([name, ...used.map((value) => path.basename(value))]).toEqual([name, ...secrets]);
      for (const secret of secrets) expect(compose.secrets[secret]?.file).toBe(`./secrets/${secret}`);
    }
    for (const secret of [...Object.keys(compose.secrets), 'clickhouse_users.xml']) {
      expect(readFileSync(path.join(directory, secret), 'utf8')).not.toBe('');
    }
    expect(makeSecrets).toThrow('is there already');
  });

  test('waits for services that exist', () => {
    for (const { depends_on: awaited = {} } of Object.values(compose.services)) {
      for (const name of Object.keys(awaited)) expect(compose.services).toHaveProperty(name);
    }
  });
});

describe('kafka.yaml', () => {
  const text = read(`${folder}/kafka.yaml`);
  const { worker } = (load(text) as Compose).services;

  test('says in its first lines that CI does not run it', () => {
    expect(text.split('\n').slice(0, 3).join('\n')).toMatch(/Not run in CI/);
  });

  test('adds variables to the worker that it reads, and accepts', () => {
    const added = worker?.environment ?? {};
    for (const variable of Object.keys(added)) expect(readersOf().get(variable)).toContain('worker');
    // Secrets are files that nobody made here: only what is said about Kafka is looked at.
    const faults = faultsOf('worker', { ...compose.services['worker']?.environment, ...added });
    expect(faults.filter((fault) => fault.includes('KAFKA'))).toEqual([]);
  });
});

describe('The README', () => {
  // `if not exists` is how a migration says that its index may be built beforehand.
  test('says of every index that may be built before its migration how', () => {
    const guide = read('deploy/README.md');
    const migrations = path.join(root, 'prisma/migrations');
    const indexes = readdirSync(migrations).flatMap((name) => {
      const file = path.join(migrations, name, 'migration.sql');
      const sql = existsSync(file) ? readFileSync(file, 'utf8') : '';
      return [...sql.matchAll(/create index if not exists ([^;]+;)/g)].map(([, index]) => ({ name, index }));
    });
    expect(indexes.length).toBeGreaterThan(0);
    for (const { name, index } of indexes) {
      expect(guide).toContain(`\`create index concurrently ${index}\``);
      expect(guide).toContain(`\`${name}\``);
    }
  });
});

describe('The Dockerfile', () => {
  const [, ...stages] = dockerfile.split(/^FROM /m).map((stage) => stage.trim());
  const stage = (name: string): string =>
    stages.find((text) => text.split('\n')[0]?.endsWith(` AS ${name}`)) ?? '';

  test('runs every target as a user who is not root', () => {
    expect(stage('process')).toMatch(/^USER node$/m);
    for (const name of ['api', 'ingest', 'worker', 'cli']) {
      expect(stage(name)).toMatch(/^process AS /);
      expect(stage(name)).not.toMatch(/^USER /m);
    }
  });

  test('starts files whose source exists, and asks each server for /livez', () => {
    for (const name of ['api', 'ingest', 'worker']) {
      const program = /"dist\/(apps\/[^"]+)\.js"\]$/m.exec(stage(name))?.[1];
      expect(existsSync(path.join(root, `${program}.ts`))).toBe(true);
      expect(stage(name)).toMatch(/^HEALTHCHECK [^]*\/livez/m);
      for (const [, variable = ''] of stage(name).matchAll(/process\.env\.(\w+)/g)) {
        expect(readersOf().get(variable)).toContain(name);
      }
    }
    expect(existsSync(path.join(root, 'apps/cli/bin/holdfast.js'))).toBe(true);
  });

  test('copies only what .dockerignore lets through', () => {
    const kept = read('.dockerignore').matchAll(/^!(.+)$/gm);
    const names = new Set([...kept].map(([, name]) => name));
    for (const [, copied = ''] of dockerfile.matchAll(/^COPY (?!--from)(.+) \S+$/gm)) {
      for (const file of copied.split(' ').filter((each) => each !== '.'))
        expect(names).toContain(file.split('/')[0]);
    }
    for (const name of names) expect(existsSync(path.join(root, name ?? ''))).toBe(true);
  });
});
