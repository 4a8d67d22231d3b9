'use strict';

const { spawn, spawnSync } = require('node:child_process');
const { createHash, randomUUID } = require('node:crypto');
const {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} = require('node:fs');
const { createServer } = require('node:net');
const { homedir, tmpdir } = require('node:os');
const path = require('node:path');

/**
 * Starts Apache Kafka: KRaft, one node, on 127.0.0.1, from the jars of Maven's central repository.
 *
 *   node tools/kafka/start.js [--directory DIR] [--port PORT] [--attached]
 *   node tools/kafka/start.js --fetch
 *
 * Runs until SIGTERM or SIGINT, and with `--attached` no longer than its standard input is open. `--fetch` only gets the jars.
 *
 * Once it takes connections it prints one line of JSON, {"brokers", "pid", "directory", "jars"}. A directory that is given is
 * kept and found again. Exit code 3 and a reason on stderr: this machine has no Java 17 or no Maven, or cannot get the jars.
 */
const CANNOT = 3;
const JAVA_MIN = 17;
/** 54 MB: seconds on a good line, and a run of the tests waits no longer than this on a bad one. */
const FETCH_TIMEOUT_MS = 120_000;
const START_TIMEOUT_MS = 60_000;

const options = readOptions(process.argv.slice(2));

function readOptions(args) {
  const valueOf = (name) => (args.includes(name) ? args[args.indexOf(name) + 1] : undefined);
  return {
    fetchOnly: args.includes('--fetch'),
    attached: args.includes('--attached'),
    directory: valueOf('--directory'),
    port: Number(valueOf('--port') ?? 0),
  };
}

class Unavailable extends Error {}

/** The jars' directory: fetched once, each compared with its checksum, and shared by every checkout of the user. */
function fetchJars() {
  requireJava();
  const sums = readFileSync(path.join(__dirname, 'jars.sha256'), 'utf8');
  const name = `kafka-${createHash('sha256').update(sums).digest('hex').slice(0, 12)}`;
  const jars = path.join(homedir(), '.cache', 'holdfast', name);
  if (existsSync(jars)) return jars;
  mkdirSync(path.dirname(jars), { recursive: true });
  const fresh = mkdtempSync(`${jars}-`);
  try {
    download(fresh);
    verify(fresh, sums);
    // Whoever is second finds a directory that is not empty, and the same jars in it.
    if (!existsSync(jars)) renameSync(fresh, jars);
    return jars;
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
}

function requireJava() {
  const { status, stderr } = spawnSync('java', ['-version'], { encoding: 'utf8' });
  if (status !== 0) throw new Unavailable('there is no java on PATH');
  const version = Number(/version "(\d+)/.exec(stderr)?.[1] ?? 0);
  if (version < JAVA_MIN) throw new Unavailable(`java is of version ${version}, and Kafka needs ${JAVA_MIN}`);
}

function download(directory) {
  const args = ['-B', '-q', '-C', '-f', path.join(__dirname, 'pom.xml'), 'dependency:copy-dependencies'];
  const { error, status, stdout } = spawnSync('mvn', [...args, `-DoutputDirectory=${directory}`], {
    encoding: 'utf8',
    timeout: FETCH_TIMEOUT_MS,
  });
  if (error?.code === 'ENOENT')
    throw new Unavailable('there is no mvn on PATH, and the jars are not in the cache');
  if (status !== 0) throw new Unavailable(`Maven could not get the jars: ${stdout.split('\n')[0] || error}`);
}

function verify(directory, sums) {
  const found = readdirSync(directory)
    .toSorted()
    .map((jar) => `${sha256(path.join(directory, jar))}  ${jar}`);
  const expected = sums
    .trim()
    .split('\n')
    .toSorted((a, b) => (a.slice(66) < b.slice(66) ? -1 : 1));
  const wrong = expected.find((line, place) => line !== found[place]);
  if (wrong || found.length !== expected.length)
    throw new Unavailable(`a jar is not the expected one: ${wrong}`);
}

function sha256(file) {
  return createHash('sha256').update(readFileSync(file)).digest('hex');
}

function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

/** What differs from Kafka's defaults: one replica of everything, no waiting for members of a group, little memory. */
function properties(directory, port, controllerPort) {
  return Object.entries({
    'process.roles': 'broker,controller',
    'node.id': 1,
    'controller.quorum.voters': `1@127.0.0.1:${controllerPort}`,
    listeners: `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}`,
    'advertised.listeners': `PLAINTEXT://127.0.0.1:${port}`,
    'controller.listener.names': 'CONTROLLER',
    'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
    'log.dirs': path.join(directory, 'log'),
    'auto.create.topics.enable': false,
    'offsets.topic.replication.factor': 1,
    'offsets.topic.num.partitions': 1,
    'transaction.state.log.replication.factor': 1,
    'transaction.state.log.min.isr': 1,
    'transaction.state.log.num.partitions': 3,
    'share.coordinator.state.topic.replication.factor': 1,
    'share.coordinator.state.topic.min.isr': 1,
    'group.initial.rebalance.delay.ms': 0,
    'log.cleaner.dedupe.buffer.size': 4 * 1024 * 1024,
  })
    .map(([name, value]) => `${name}=${value}`)
    .join('\n');
}

/** Writes the configuration and formats the log, unless the directory has been used before. */
async function prepare(jars, directory, port) {
  const file = path.join(directory, 'server.properties');
  if (existsSync(file)) return file;
  mkdirSync(directory, { recursive: true });
  writeFileSync(file, properties(directory, port, await freePort()));
  // One in 64 begins with a hyphen, which is an option where it stands alone.
  const clusterId = Buffer.from(randomUUID().replaceAll('-', ''), 'hex').toString('base64url');
  const { status, stdout, stderr } = spawnSync(
    'java',
    ['-cp', `${jars}/*`, 'kafka.tools.StorageTool', 'format', `--cluster-id=${clusterId}`, '-c', file],
    { encoding: 'utf8' },
  );
  if (status !== 0) throw new Error(`kafka storage format failed: ${stdout}${stderr}`);
  return file;
}

async function start() {
  const jars = fetchJars();
  if (options.fetchOnly) {
    process.stdout.write(`${JSON.stringify({ jars })}\n`);
    return;
  }
  const directory = options.directory ?? mkdtempSync(path.join(tmpdir(), 'holdfast-kafka-'));
  const port = options.port || (await freePort());
  const file = await prepare(jars, directory, port);
  const flags = ['-Xmx384m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-cp', `${jars}/*`];
  const broker = spawn('java', [...flags, 'kafka.Kafka', file], { stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  for (const stream of [broker.stdout, broker.stderr]) {
    stream.on('data', (chunk) => (said = `${said}${chunk}`.slice(-4_000)));
  }
  broker.once('exit', (code) => {
    if (!options.directory) rmSync(directory, { recursive: true, force: true });
    if (code && code !== 143) process.stderr.write(said);
    process.exit(code === null || code === 143 ? 0 : code);
  });
  for (const signal of ['SIGTERM', 'SIGINT']) process.once(signal, () => broker.kill('SIGTERM'));
  // Whoever is killed leaves no broker behind.
  if (options.attached) process.stdin.resume().once('end', () => broker.kill('SIGKILL'));
  await listening(port);
  const ready = { brokers: `127.0.0.1:${port}`, pid: broker.pid, directory, jars };
  process.stdout.write(`${JSON.stringify(ready)}\n`);
}

/** Waits until the port takes connections, which Kafka opens last. */
async function listening(port) {
  const { connect } = require('node:net');
  const endsAt = Date.now() + START_TIMEOUT_MS;
  while (Date.now() < endsAt) {
    const isOpen = await new Promise((resolve) => {
      const socket = connect(port, '127.0.0.1');
      socket.once('connect', () => resolve(true) || socket.destroy());
      socket.once('error', () => resolve(false));
    });
    if (isOpen) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`Kafka does not listen after ${START_TIMEOUT_MS} ms`);
}

start().catch((error) => {
  process.stderr.write(`${error.message}\n`);
  process.exit(error instanceof Unavailable ? CANNOT : 1);
});
