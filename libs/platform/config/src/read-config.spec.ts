import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ConfigRefused } from './config-refused';
import { describeConfig } from './describe-config';
import { variablesTable } from './describe-variables';
import { withAudience } from './issuers';
import { readConfig } from './read-config';
import { version } from './version';

const databases = {
  DATABASE_URL: 'postgresql://holdfast_app:app-secret@db:5432/holdfast',
  DATABASE_AUTH_URL: 'postgresql://holdfast_auth:x@db:5432/holdfast',
  DATABASE_OPS_URL: 'postgresql://holdfast_ops:x@db:5432/holdfast',
  DATABASE_RELAY_URL: 'postgresql://holdfast_relay:x@db:5432/holdfast',
};
const api = { ...databases, CLICKHOUSE_URL: 'http://default:ch-secret@ch:8123/holdfast' };

function refusalOf(read: () => unknown): ConfigRefused {
  try {
    read();
  } catch (error) {
    if (error instanceof ConfigRefused) return error;
    throw error;
  }
  throw new Error('the configuration was accepted');
}

describe('readConfig', () => {
  test('gives typed values and the documented defaults', () => {
    expect(readConfig('api', { ...api, HOLDFAST_PORT: '9000' })).toMatchObject({
      databaseUrl: api.DATABASE_URL,
      port: 9000,
      metricsPort: 9464,
      host: '127.0.0.1',
      logLevel: 'info',
      oidcIssuers: [],
      limits: 'on',
      addressRequestsPerSecond: 200,
      trustedProxies: [],
    });
  });

  test('takes proxies as addresses and networks, and nothing else', () => {
    const read = (text: string): unknown =>
      readConfig('api', { ...api, HOLDFAST_TRUSTED_PROXIES: text }).trustedProxies;
    expect(read('10.0.0.0/8, 2001:db8::/32,127.0.0.1')).toEqual(['10.0.0.0/8', '2001:db8::/32', '127.0.0.1']);
    for (const wrong of ['balancer.local', '10.0.0.0/33', 'true', '*'])
      expect(refusalOf(() => read(wrong)).faults).toHaveLength(1);
  });

  test('lists all faults at once and repeats no value', () => {
    const refusal = refusalOf(() =>
      readConfig('api', {
        DATABASE_URL: 'mysql://root:hunter2@db',
        HOLDFAST_PORT: '99999',
        LOG_LEVEL: 'loud-hunter2',
        NODE_ENV: 'production',
      }),
    );
    expect(refusal.faults.map(({ variable }) => variable).toSorted()).toEqual([
      'CLICKHOUSE_URL',
      'DATABASE_AUTH_URL',
      'DATABASE_OPS_URL',
      'DATABASE_URL',
      'HOLDFAST_PORT',
      'LOG_LEVEL',
    ]);
    expect(refusal.message).toContain('6 faults');
    expect(refusal.message).not.toContain('hunter2');
  });

  test('takes an empty value for an absent one', () => {
    expect(readConfig('api', { ...api, HOLDFAST_PORT: '' }).port).toBe(8080);
    expect(refusalOf(() => readConfig('api', { ...api, DATABASE_URL: '' })).faults).toEqual([
      { variable: 'DATABASE_URL', message: 'is missing' },
    ]);
  });

  test('reads a secret from the file that NAME_FILE names, and refuses both', () => {
    const directory = mkdtempSync(join(tmpdir(), 'holdfast-config-'));
    const file = join(directory, 'url');
    writeFileSync(file, `${api.DATABASE_URL}\n`);
    const { DATABASE_URL: _, ...others } = api;
    expect(readConfig('api', { ...others, DATABASE_URL_FILE: file }).databaseUrl).toBe(api.DATABASE_URL);
    expect(refusalOf(() => readConfig('api', { ...api, DATABASE_URL_FILE: file })).faults).toEqual([
      { variable: 'DATABASE_URL', message: 'and DATABASE_URL_FILE are both set: keep one' },
    ]);
    expect(refusalOf(() => readConfig('api', { ...others, DATABASE_URL_FILE: '/nowhere' })).faults).toEqual([
      { variable: 'DATABASE_URL', message: expect.stringContaining('ENOENT') as string },
    ]);
    rmSync(directory, { recursive: true });
  });

  test('derives the roles from DATABASE_ADMIN_URL in development and never in production', () => {
    const admin = {
      DATABASE_ADMIN_URL: 'postgresql://postgres:pw@db/holdfast',
      CLICKHOUSE_URL: api.CLICKHOUSE_URL,
    };
    const derived = readConfig('worker', admin);
    expect(new URL(derived.databaseUrl).username).toBe('holdfast_app');
    expect(new URL(derived.databaseRelayUrl).password).not.toBe(new URL(derived.databaseUrl).password);
    expect(refusalOf(() => readConfig('worker', { ...admin, NODE_ENV: 'production' })).faults).toHaveLength(
      4,
    );
  });

  test('wants a place for the queues', () => {
    const { faults } = refusalOf(() => readConfig('worker', { ...api, NODE_ENV: 'production' }));
    expect(faults).toEqual([
      { variable: 'REDIS_URL', message: expect.stringContaining('DATABASE_JOBS_URL') as string },
    ]);
    expect(readConfig('worker', { ...api, REDIS_URL: 'redis://r:6379' }).redisUrl).toBe('redis://r:6379');
  });

  test('takes Kafka with what belongs together, and no password in the open', () => {
    const worker = { ...api, REDIS_URL: 'redis://redis:6379' };
    expect(readConfig('worker', worker).kafkaBrokers).toBeUndefined();
    const brokers = { ...worker, KAFKA_BROKERS: 'kafka-1:9092, [::1]:9093' };
    expect(readConfig('worker', brokers)).toMatchObject({
      kafkaBrokers: ['kafka-1:9092', '[::1]:9093'],
      kafkaTopicPrefix: 'holdfast',
      kafkaTopicPartitions: 12,
      kafkaTopicReplicas: 3,
      kafkaTopicRetentionHours: 168,
      kafkaTls: 'off',
    });
    const wrong = {
      ...brokers,
      KAFKA_BROKERS: 'kafka',
      KAFKA_TOPIC_PARTITIONS: '0',
      KAFKA_USERNAME: 'holdfast',
      KAFKA_SASL_MECHANISM: 'PLAIN',
      KAFKA_TLS_KEY: '-----BEGIN PRIVATE KEY-----',
    };
    const { faults } = refusalOf(() => readConfig('worker', wrong));
    expect(faults.map(({ variable }) => variable).toSorted()).toEqual([
      'KAFKA_BROKERS',
      'KAFKA_PASSWORD',
      'KAFKA_TLS',
      'KAFKA_TLS_CERT',
      'KAFKA_TOPIC_PARTITIONS',
    ]);
  });

  test('takes one operator without a name, or several with one each', () => {
    const [one, other] = ['ab'.repeat(32), 'cd'.repeat(32)];
    const keys = (text: string) => readConfig('api', { ...api, OPERATOR_KEY_HASH: text }).operatorKeys;
    expect(readConfig('api', api).operatorKeys).toEqual([]);
    expect(keys(one)).toEqual([{ name: 'operator', hash: one }]);
    expect(keys(`alice=${one}, bob=${other}`)).toEqual([
      { name: 'alice', hash: one },
      { name: 'bob', hash: other },
    ]);
    for (const wrong of [
      `${one},${other}`,
      `a|b=${one}`,
      `a@b.example=${one}`,
      'alice=',
      one.toUpperCase(),
    ]) {
      expect(refusalOf(() => keys(wrong)).faults).toMatchObject([{ variable: 'OPERATOR_KEY_HASH' }]);
    }
  });

  test('takes issuers as a list of addresses or as JSON, with safe defaults', () => {
    const issuers = (text: string) => readConfig('api', { ...api, OIDC_ISSUERS: text }).oidcIssuers;
    const address = 'https://id.example.com/realms/one';
    expect(issuers(`${address}, http://127.0.0.1:9000`)).toMatchObject([
      { issuer: address, algorithms: ['RS256', 'ES256', 'EdDSA', 'PS256'], requireTyp: true },
      { issuer: 'http://127.0.0.1:9000' },
    ]);
    const [one] = issuers(JSON.stringify([{ issuer: address, audience: 'api', tenantClaim: 'org' }]));
    expect(one).toMatchObject({ audience: ['api'], tenantClaim: 'org', clockToleranceSeconds: 5 });
    expect(withAudience(issuers(address), 'holdfast')).toMatchObject([{ audience: ['holdfast'] }]);
  });

  const sound = { issuer: 'https://id.example.com', audience: 'api' };
  test.each([
    'http://id.example.com',
    'https://user@id.example.com',
    'https://id.example.com?x=1',
    'https://one.example.com,https://one.example.com',
    '[',
    '[null]',
    JSON.stringify([{ issuer: sound.issuer }]),
    JSON.stringify([{ ...sound, algorithms: ['HS256'] }]),
    JSON.stringify([{ ...sound, algorithms: ['none'] }]),
    JSON.stringify([{ ...sound, algorithms: [] }]),
    JSON.stringify([{ ...sound, clockToleranceSeconds: 61 }]),
    JSON.stringify([{ ...sound, keys: [] }]),
  ])('refuses the issuers %s', (text) => {
    const refusal = refusalOf(() => readConfig('api', { ...api, OIDC_ISSUERS: text }));
    expect(refusal.faults).toMatchObject([{ variable: 'OIDC_ISSUERS' }]);
  });

  test('refuses in production an issuer that is asked without encryption', () => {
    const local = { ...api, OIDC_ISSUERS: 'http://localhost:9000' };
    expect(readConfig('api', local).oidcIssuers).toHaveLength(1);
    expect(refusalOf(() => readConfig('api', { ...local, NODE_ENV: 'production' })).faults).toEqual([
      { variable: 'OIDC_ISSUERS', message: 'has to be https:// addresses in production' },
    ]);
  });

  test('insists that a worker that signs reaches the logs and remembers', () => {
    const { privateKey } = generateKeyPairSync('ed25519');
    const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    const base64 = privateKey.export({ type: 'pkcs8', format: 'der' }).toString('base64');
    const worker = { ...api, REDIS_URL: 'redis://r:6379' };
    const signing = { ...worker, AUDIT_LOG_KEY_PRIVATE: `${pem},${base64}` };
    expect(refusalOf(() => readConfig('worker', signing)).faults).toEqual([
      { variable: 'AUDIT_SIGNER_DIRECTORY', message: 'is missing: AUDIT_LOG_KEY_PRIVATE is set' },
      { variable: 'DATABASE_SEALER_URL', message: 'is missing: AUDIT_LOG_KEY_PRIVATE is set' },
    ]);
    const complete = {
      AUDIT_SIGNER_DIRECTORY: '/signer',
      DATABASE_SEALER_URL: 'postgres://holdfast_sealer:x@db/a',
    };
    expect(readConfig('worker', { ...signing, ...complete }).auditLogKeys).toHaveLength(2);
    expect(readConfig('worker', worker).auditLogKeys).toBeUndefined();
    const wrong = { ...worker, ...complete, AUDIT_LOG_KEY_PRIVATE: 'secret' };
    expect(refusalOf(() => readConfig('worker', wrong)).faults).toMatchObject([
      { variable: 'AUDIT_LOG_KEY_PRIVATE' },
    ]);
  });

  test('takes the halves of the write keys’ key in PEM and base64, each where it belongs', () => {
    const { privateKey, publicKey } = generateKeyPairSync('ed25519');
    const privateDer = privateKey.export({ format: 'der', type: 'pkcs8' }).toString('base64');
    const publicDer = publicKey.export({ format: 'der', type: 'spki' }).toString('base64');
    const privatePem = privateKey.export({ format: 'pem', type: 'pkcs8' }).toString();
    const publicPem = publicKey.export({ format: 'pem', type: 'spki' }).toString();
    const others = {
      CLICKHOUSE_URL: api.CLICKHOUSE_URL,
      HOLDFAST_API_URL: 'http://api:8080',
      INGEST_DIRECTORY: '/var/lib/holdfast/ingest',
    };
    const ingest = (text: string): unknown => readConfig('ingest', { ...others, WRITE_KEY_PUBLIC: text });
    for (const text of [privateDer, privatePem])
      expect(readConfig('api', { ...api, WRITE_KEY_PRIVATE: text }).writeKeyPrivate).toBe(privateDer);
    expect(ingest(`${publicPem}, ${publicDer}`)).toMatchObject({
      writeKeyPublic: [publicDer, publicDer],
      spillMaxMb: 1_024,
      ringMb: 64,
      bodiesMb: 64,
      connectionsMax: 8_000,
      shed: 'ack',
    });
    for (const wrong of ['', 'x', `${publicDer},x`, privateDer, privatePem])
      expect(refusalOf(() => ingest(wrong)).faults.map(({ variable }) => variable)).toEqual([
        'WRITE_KEY_PUBLIC',
      ]);
    expect(
      refusalOf(() => readConfig('ingest', {}))
        .faults.map(({ variable }) => variable)
        .toSorted(),
    ).toEqual(['CLICKHOUSE_URL', 'HOLDFAST_API_URL', 'INGEST_DIRECTORY', 'WRITE_KEY_PUBLIC']);
  });

  test('takes faults for tests, and refuses them in production', () => {
    const queues = { ...api, REDIS_URL: 'redis://r:6379' };
    const read = (faults: string, environment = 'test') =>
      readConfig('worker', { ...queues, HOLDFAST_FAULTS: faults, NODE_ENV: environment }).faults;
    expect(read('')).toEqual([]);
    expect(read('relay.swept=kill@3,sequencer.ticked=sleep:500@1')).toEqual([
      { step: 'relay.swept', action: 'kill', sleepMs: 0, pass: 3 },
      { step: 'sequencer.ticked', action: 'sleep', sleepMs: 500, pass: 1 },
    ]);
    for (const wrong of ['kill', 'relay.swept=kill', 'relay.swept=kill@0', 'relay.swept=sleep@1', 'a=note@1'])
      expect(refusalOf(() => read(wrong)).faults).toMatchObject([{ variable: 'HOLDFAST_FAULTS' }]);
    expect(refusalOf(() => read('relay.swept=note@1', 'production')).faults).toEqual([
      { variable: 'HOLDFAST_FAULTS', message: 'has to be empty in production' },
    ]);
  });

  test('tells what to do about a variable that Kubernetes has set', () => {
    const { faults } = refusalOf(() => readConfig('api', { ...api, HOLDFAST_PORT: 'tcp://10.0.0.1:80' }));
    expect(faults[0]?.message).toContain('enableServiceLinks');
  });
});

describe('describeConfig', () => {
  test('hides every secret', () => {
    const config = readConfig('api', { ...api, OPERATOR_KEY_HASH: 'ab'.repeat(32) });
    const printed = JSON.stringify(describeConfig('api', config));
    expect(printed).not.toMatch(/app-secret|ch-secret|abab/);
    expect(printed).toContain('holdfast_app:***@db');
  });
});

describe('The README', () => {
  const file = join(__dirname, '../README.md');
  const section = /(<!-- variables: .*? -->\n)[\s\S]*(<!-- \/variables -->)/;
  // Prettier aligns tables; only their text counts.
  const bare = (text: string): string => text.replaceAll(/[ -]+/g, ' ');

  test('describes every variable as the schemas do', () => {
    const readme = readFileSync(file, 'utf8');
    const wanted = readme.replace(section, (_, open, close) => `${open}\n${variablesTable()}\n\n${close}`);
    if (process.env['HOLDFAST_WRITE_DOCS']) writeFileSync(file, wanted);
    else expect(bare(readme)).toBe(bare(wanted));
  });
});

describe('version', () => {
  test('is that of package.json', () => {
    expect(version()).toMatch(/^\d+\.\d+\.\d+/);
  });
});
