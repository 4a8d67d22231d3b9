import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { createServer } from 'node:net';
import { createRequire } from 'node:module';
import { arch, platform, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createServer as createHttp2Server } from 'node:http2';
import { Pool } from 'pg';
import { serve } from './closed-loop.mjs';

/** The same by Restate: its server beside, its journal where it keeps it by itself, and the steps' rows on the same PostgreSQL. */
// Read when it is loaded.
process.env.RESTATE_LOGGING = 'ERROR';
const { endpoint, service, TerminalError } = await import('@restatedev/restate-sdk');

const [, , url] = process.argv;
const pool = new Pool({ connectionString: url, max: 16 });
await pool.query(
  'create table if not exists effects (saga uuid not null, step text not null, primary key (saga, step))',
);

const insert = (id, step) => () =>
  pool
    .query({ name: 'insert', text: 'insert into effects (saga, step) values ($1, $2)', values: [id, step] })
    .then(() => null);

const trip = service({
  name: 'saga',
  handlers: {
    run: async (ctx, { id, failing }) => {
      const done = [];
      try {
        for (const step of ['one', 'two', 'three']) {
          if (failing && step === 'three') throw new TerminalError('refused');
          await ctx.run(step, insert(id, step));
          done.push(step);
        }
      } catch (error) {
        if (!(error instanceof TerminalError)) throw error;
        for (const step of done.toReversed()) await ctx.run(`undo ${step}`, insert(id, `undo ${step}`));
      }
      return null;
    },
  },
});

const freePort = () =>
  new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });

const [ingress, admin, node, steps] = await Promise.all([freePort(), freePort(), freePort(), freePort()]);
createHttp2Server(endpoint().bind(trip).http2Handler()).listen(steps, '127.0.0.1');

const directory = mkdtempSync(join(tmpdir(), 'holdfast-restate-'));
const require = createRequire(import.meta.url);
const server = dirname(require.resolve(`@restatedev/restate-server-${platform()}-${arch()}/package.json`));
const child = spawn(join(server, 'bin/restate-server'), ['--node-name', 'bench'], {
  stdio: ['ignore', 'ignore', 'inherit'],
  env: {
    ...process.env,
    RESTATE_BASE_DIR: directory,
    RESTATE_BIND_ADDRESS: `127.0.0.1:${node}`,
    RESTATE_ADVERTISED_ADDRESS: `http://127.0.0.1:${node}`,
    RESTATE_INGRESS__BIND_ADDRESS: `127.0.0.1:${ingress}`,
    RESTATE_ADMIN__BIND_ADDRESS: `127.0.0.1:${admin}`,
    RESTATE_LOG_FILTER: 'error',
    DO_NOT_TRACK: '1',
  },
});
const end = () => {
  child.kill('SIGKILL');
  rmSync(directory, { recursive: true, force: true });
  process.exit();
};
process.on('disconnect', end);

const agent = new Agent({ keepAlive: true, maxSockets: 256 });
const post = (port, path, body) =>
  new Promise((resolve, reject) => {
    const text = JSON.stringify(body);
    const options = { port, host: '127.0.0.1', path, method: 'POST', agent };
    const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) };
    const asked = request({ ...options, headers }, (answer) => {
      answer.resume();
      answer.on('end', () => resolve(answer.statusCode));
    });
    asked.on('error', reject);
    asked.end(text);
  });

for (let attempt = 0; ; attempt += 1) {
  const status = await post(admin, '/deployments', { uri: `http://127.0.0.1:${steps}` }).catch(() => 0);
  if (status === 201 || status === 200) break;
  if (attempt === 300) throw new Error(`Restate does not take its deployment: ${status}`);
  await sleep(100);
}
serve(async (failing) => {
  const status = await post(ingress, '/saga/run', { id: randomUUID(), failing });
  if (status !== 200) throw new Error(`Restate answered ${status}`);
});
