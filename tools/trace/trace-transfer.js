'use strict';

/**
 * `node tools/trace/trace-transfer.js FILE.svg`: starts `holdfast dev` in a directory of its own with spans recorded, posts one
 * transfer between accounts of the demo, waits until every group has had its event, and draws what happened.
 */
const { spawn } = require('node:child_process');
const { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } = require('node:fs');
const { tmpdir } = require('node:os');
const path = require('node:path');
const { setTimeout: sleep } = require('node:timers/promises');
const { Client } = require('pg');
const { drawWaterfall } = require('./waterfall.js');

const root = path.resolve(__dirname, '../..');
const START_MS = 300_000;
const SETTLE_MS = 5_000;
const DELIVERED_MS = 60_000;
/** Once plans are made and connections are open, as in a system that runs. */
const WARM_UPS = 20;

async function main(target) {
  const directory = mkdtempSync(path.join(tmpdir(), 'holdfast-trace-'));
  const file = path.join(directory, 'spans.jsonl');
  const dev = spawn(process.execPath, [path.join(root, 'apps/cli/bin/holdfast.js'), 'dev'], {
    cwd: root,
    stdio: ['ignore', 'ignore', 'inherit'],
    env: {
      ...process.env,
      HOLDFAST_DIRECTORY: path.join(directory, 'dev'),
      HOLDFAST_TRACE_FILE: file,
      NODE_OPTIONS: `--require=${path.join(__dirname, 'record-spans.js')}`,
    },
  });
  const ended = new Promise((resolve) => dev.once('exit', resolve));
  try {
    const running = await until(() => readDevFile(directory), START_MS, 'holdfast dev');
    writeFileSync(target, await draw(running, file));
  } finally {
    dev.kill('SIGTERM');
    await ended;
    rmSync(directory, { recursive: true, force: true });
  }
}

function readDevFile(directory) {
  const file = path.join(directory, 'dev/dev.json');
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : undefined;
}

async function draw({ api, database, tenants: [tenant] }, file) {
  const ask = async (where, body) => {
    const headers = {
      authorization: `Bearer ${tenant.adminKey}`,
      ...(body && { 'content-type': 'application/json', 'idempotency-key': crypto.randomUUID() }),
    };
    const answer = await fetch(`${api}${where}`, { method: body ? 'POST' : 'GET', headers, body });
    if (!answer.ok) throw new Error(`${where} was answered ${answer.status}: ${await answer.text()}`);
    return answer.json();
  };
  const accounts = (await ask('/v1/ledger/accounts')).data;
  const idOf = (code) => accounts.find((account) => account.code === code).id;
  const transfer = { debitAccountId: idOf('cash'), creditAccountId: idOf('sales'), amount: '1999' };
  const post = () => ask('/v1/ledger/transfers', JSON.stringify(transfer));
  let last;
  for (let n = 0; n < WARM_UPS; n += 1) last = await post();
  // What the demo and the warm-up have set off has been delivered by then, or the picture would show their pages.
  await sleep(SETTLE_MS);
  const groups = deliveriesOf(readSpans(file), await lookAtEvent(database.admin, last.id)).length;
  const event = await lookAtEvent(database.admin, (await post()).id);
  const isDelivered = () => {
    const spans = readSpans(file);
    return deliveriesOf(spans, event).length >= groups && spans;
  };
  const spans = await until(isDelivered, DELIVERED_MS, `delivery to ${groups} groups`);
  return drawTrace(spans, event);
}

const deliveriesOf = (spans, { id }) =>
  spans.filter(({ attributes }) => attributes['holdfast.event_ids']?.includes(id));

/** Reads the log as its superuser: clients are not told the position of an event, which is the cursors' business. */
async function lookAtEvent(url, transferId) {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    const { rows } = await client.query(
      `select id, type, seq::text, traceparent, extract(epoch from occurred_at)::float8 * 1000 as at
       from events.log where stream_id = $1`,
      [transferId],
    );
    return rows[0];
  } finally {
    await client.end();
  }
}

const readSpans = (file) =>
  readFileSync(file, 'utf8')
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line));

function drawTrace(spans, event) {
  const traceId = event.traceparent.split('-')[1];
  const ours = spans.filter((span) => span.traceId === traceId);
  const deliveries = deliveriesOf(spans, event);
  const first = Math.min(...deliveries.map(({ startMs }) => startMs));
  const tick = spans.find(
    ({ name, startMs, endMs }) => name === 'tick' && endMs > event.at && startMs < first,
  );
  const below = (parentId, depth) =>
    ours
      .filter((span) => span.parentId === parentId && !deliveries.includes(span))
      .toSorted((a, b) => a.startMs - b.startMs || a.endMs - b.endMs)
      .flatMap((span) => [rowOf(span, depth), ...below(span.spanId, depth + 1)]);
  const request = ours.find(({ name }) => name.startsWith('POST '));
  const rows = [
    rowOf(request, 0),
    ...below(request.spanId, 1),
    {
      kind: 'event',
      depth: 1,
      name: event.type,
      note: `seq ${event.seq}`,
      startMs: event.at,
      endMs: event.at,
    },
    ...(tick ? [rowOf(tick, 0)] : []),
    ...deliveries
      .toSorted((a, b) => a.startMs - b.startMs)
      .flatMap((span) => [rowOf(span, 0), ...below(span.spanId, 1)]),
  ];
  const title = 'A transfer of the demo, from its request to the last delivery of its event';
  return drawWaterfall(title, `trace ${traceId}, event ${event.id}; recorded by tools/trace`, rows);
}

function rowOf({ name, startMs, endMs, attributes }, depth) {
  const kind = kindOf(name);
  const note = {
    request: `status ${attributes['http.response.status_code']}`,
    tick: `number ${attributes['holdfast.tick']}, events: ${attributes['holdfast.events']}`,
    delivery: '',
  }[kind];
  return { kind, depth, name: name.replace(/^sql /, ''), note, startMs, endMs };
}

function kindOf(name) {
  if (name.startsWith('sql ')) return 'sql';
  if (name.startsWith('deliver ')) return 'delivery';
  if (name === 'tick') return 'tick';
  return /^[A-Z]+ \//.test(name) ? 'request' : 'command';
}

async function until(look, timeoutMs, what) {
  const givenUpAt = Date.now() + timeoutMs;
  while (Date.now() < givenUpAt) {
    const found = look();
    if (found) return found;
    await sleep(100);
  }
  throw new Error(`${what} took longer than ${timeoutMs / 1_000} s`);
}

main(process.argv[2] ?? 'trace.svg').catch((error) => {
  process.stderr.write(`${error.stack}\n`);
  process.exitCode = 1;
});
