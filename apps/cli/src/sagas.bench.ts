import { type ChildProcess, fork, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Conflict, newId } from '@holdfast/kernel';
import { MIGRATIONS_DIRECTORY, statement } from '@holdfast/database';
import { saga, SagaRunner } from '@holdfast/sagas';
import { callerOf, type TenantTx } from '@holdfast/tenancy';
import { Client } from 'pg';
import { z } from 'zod';
import type { BenchSystem } from './bench-system';

/** Sagas a second that have ended, and how long one takes. */
interface SagaFigures {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

interface Load {
  readonly failing: boolean;
  readonly seconds: number;
  readonly inFlight: number;
}

/** Something that runs sagas. */
interface Contender {
  readonly name: string;
  measure(load: Load): Promise<SagaFigures>;
  close(): Promise<void>;
}

const IN_FLIGHT = 64;
const ROUNDS = 3;
const WARM_UP_MS = 1_000;
/** Their programs are no part of the build: they have packages of their own. */
const PEERS = join(MIGRATIONS_DIRECTORY, '../../apps/cli/peers');
const PEER_NAMES = ['dbos', 'restate'] as const;

const EFFECTS = `create schema bench;
  grant usage on schema bench to holdfast_app;
  create table bench.effects (tenant_id uuid not null, saga uuid not null, step text not null, primary key (tenant_id, saga, step));
  grant insert on bench.effects to holdfast_app;
  select tenancy.protect('bench.effects')`;

const INSERT = statement(
  'bench.insert_effect',
  'insert into bench.effects (tenant_id, saga, step) values ($1, $2, $3)',
);

async function effect(tx: TenantTx, sagaId: string, step: string): Promise<void> {
  await tx.execute(INSERT, [tx.tenantId, sagaId, step]);
}

const threeSteps = (name: string, sharesTransaction: boolean) =>
  saga({ name, input: z.object({ failing: z.boolean() }) })
    .compensatable('one', {
      sharesTransaction,
      run: (tx, { sagaId }) => effect(tx, sagaId, 'one'),
      compensate: (tx, { sagaId }) => effect(tx, sagaId, 'undo one'),
    })
    .compensatable('two', {
      sharesTransaction,
      run: (tx, { sagaId }) => effect(tx, sagaId, 'two'),
      compensate: (tx, { sagaId }) => effect(tx, sagaId, 'undo two'),
    })
    .pivot('three', {
      sharesTransaction,
      run: (tx, { sagaId, input: { failing } }) => {
        if (failing) throw new Conflict();
        return effect(tx, sagaId, 'three');
      },
    })
    .build();

const shared = threeSteps('bench.shared', true);

/**
 * Ours, by whose sagas they are: steps share transactions with those of other sagas of their tenant, of which a process takes up 16 at a time,
 * so that four tenants are the fewest that fill it. Theirs know no tenants.
 */
const OURS = [
  { name: 'Holdfast, 4 tenants', definition: shared, tenants: 4 },
  { name: 'Holdfast, 16 tenants', definition: shared, tenants: 16 },
  { name: 'Holdfast, steps that share nothing', definition: threeSteps('bench.apart', false), tenants: 16 },
];

/**
 * Sagas of three local steps, that succeed, and that fail at the third with two compensations: ours, and those of DBOS Transact and
 * Restate, one after the other in turns on one machine. Each step writes a row into the same PostgreSQL, which keeps its durability.
 */
export async function benchSagas(system: BenchSystem, seconds: number): Promise<string> {
  const contenders = [...(await ourselves(system)), ...(await peers(system.adminUrl))];
  const windowSeconds = Math.max(1, seconds / 10);
  const lines: string[] = [];
  try {
    for (const failing of [false, true]) {
      const load = { failing, seconds: windowSeconds, inFlight: IN_FLIGHT };
      lines.push(...comparisonText(failing, await inTurns(contenders, load)));
    }
  } finally {
    await Promise.all(contenders.map((contender) => contender.close()));
  }
  return lines.join('\n');
}

/** One after the other, in an order that alternates. */
async function inTurns(
  contenders: readonly Contender[],
  load: Load,
): Promise<ReadonlyMap<string, readonly SagaFigures[]>> {
  const figures = new Map(contenders.map(({ name }) => [name, [] as SagaFigures[]]));
  for (let round = 0; round < ROUNDS; round += 1)
    for (const contender of round % 2 === 0 ? contenders : contenders.toReversed()) {
      const measured = await contender.measure(load);
      figures.get(contender.name)?.push(measured);
      say(`${load.failing ? 'failing' : 'succeeding'}, ${contender.name}: ${figuresText(measured)}`);
    }
  return figures;
}

async function ourselves({ adminUrl, tenants, grants, relay }: BenchSystem): Promise<Contender[]> {
  const admin = new Client({ connectionString: adminUrl });
  await admin.connect();
  for (const text of EFFECTS.split(';')) await admin.query(text);
  const runner = new SagaRunner({
    ...{ tenants, grants, relay },
    // What a step refuses is what is measured.
    report: () => {},
    lanes: 2 * IN_FLIGHT,
  });
  runner.start();
  const tenantIds = Array.from({ length: Math.max(...OURS.map(({ tenants: count }) => count)) }, () =>
    newId(),
  );
  // As processes do. All lanes at once would ask for them otherwise, which the pool refuses that is there for it.
  grants.watch();
  for (const tenantId of tenantIds) await grants.forSystem('bench', tenantId);
  const run = async (
    { definition, tenants: among }: (typeof OURS)[number],
    failing: boolean,
    lane: number,
  ): Promise<void> => {
    // As many of each: one that is beyond its tenant's share of the lanes would wait for the next look.
    const tenantId = tenantIds[lane % among] ?? '';
    const caller = callerOf(await grants.forSystem('bench', tenantId), { requestId: newId() });
    await runner.whenIdle(await runner.beginFor(caller, definition, { failing }));
  };
  return OURS.map((our, at) => ({
    name: our.name,
    measure: async ({ failing, seconds, inFlight }: Load) => {
      const figures = await closedLoop((lane) => run(our, failing, lane), seconds, inFlight);
      await requireEnded(admin, failing);
      return figures;
    },
    close: async () => {
      if (at > 0) return;
      await runner.stop();
      await admin.end();
    },
  }));
}

/** A saga that is still on its way, or has ended otherwise than it was to, would flatter the figure. */
async function requireEnded(admin: Client, failing: boolean): Promise<void> {
  const { rows } = await admin.query<{ state: string; sagas: number }>(
    'select state, count(*)::int as sagas from sagas.sagas group by state',
  );
  const open = rows.filter(({ state }) => state !== 'completed' && state !== 'compensated');
  if (open.length > 0 || !rows.some(({ state }) => state === (failing ? 'compensated' : 'completed')))
    throw new Error(`sagas have not ended: ${JSON.stringify(rows)}`);
}

async function closedLoop(
  work: (lane: number) => Promise<void>,
  seconds: number,
  inFlight: number,
): Promise<SagaFigures> {
  const latencies: number[] = [];
  const startsAt = performance.now() + WARM_UP_MS;
  const endsAt = startsAt + seconds * 1_000;
  const loop = async (lane: number): Promise<void> => {
    while (performance.now() < endsAt) {
      const began = performance.now();
      await work(lane);
      const ended = performance.now();
      if (began >= startsAt && ended < endsAt) latencies.push(ended - began);
    }
  };
  await Promise.all(Array.from({ length: inFlight }, (_, lane) => loop(lane)));
  const sorted = latencies.toSorted((one, other) => one - other);
  const at = (part: number): number => sorted[Math.floor((sorted.length - 1) * part)] ?? Number.NaN;
  return { perSecond: sorted.length / seconds, p50Ms: at(0.5), p99Ms: at(0.99) };
}

/** Each a program of its own, with a database of its own on the server. */
async function peers(adminUrl: string): Promise<Contender[]> {
  if (!existsSync(join(PEERS, 'node_modules'))) {
    say('installing what it is compared with');
    const installed = spawnSync('npm', ['ci', '--no-audit', '--no-fund'], { cwd: PEERS, stdio: 'inherit' });
    if (installed.status !== 0) {
      say('Skipped: DBOS and Restate (npm could not install them).');
      return [];
    }
  }
  const started: Contender[] = [];
  for (const name of PEER_NAMES) started.push(await peer(name, adminUrl));
  return started;
}

async function peer(name: (typeof PEER_NAMES)[number], adminUrl: string): Promise<Contender> {
  const admin = new Client({ connectionString: adminUrl });
  await admin.connect();
  await admin.query(`create database ${name}`);
  await admin.end();
  const url = new URL(adminUrl);
  url.pathname = `/${name}`;
  const child: ChildProcess = fork(join(PEERS, `${name}.mjs`), [url.href], { cwd: PEERS, execArgv: [] });
  const told = async <T>(): Promise<T> => {
    const gone = once(child, 'exit').then(() => {
      throw new Error(`${name} has ended`);
    });
    const [message] = (await Promise.race([once(child, 'message'), gone])) as [T];
    return message;
  };
  await told();
  return {
    name: name === 'dbos' ? 'DBOS' : 'Restate',
    measure: async (load) => {
      child.send(load);
      return told<SagaFigures>();
    },
    close: async () => {
      child.disconnect();
      await once(child, 'exit');
    },
  };
}

const isOurs = (name: string): boolean => OURS.some((our) => our.name === name);

function comparisonText(failing: boolean, figures: ReadonlyMap<string, readonly SagaFigures[]>): string[] {
  const middles = [...figures].map(([name, measured]) => ({ name, ...middleOf(measured) }));
  const best = middles
    .filter(({ name }) => !isOurs(name))
    .toSorted((one, other) => other.perSecond - one.perSecond)[0];
  const against = ({ name, perSecond, p50Ms }: (typeof middles)[number]): string =>
    best && isOurs(name)
      ? `: ${(perSecond / best.perSecond).toFixed(2)} × ${best.name}, p50 ${(p50Ms / best.p50Ms).toFixed(2)} × its`
      : '';
  return [
    `three steps, ${failing ? 'two compensations' : 'success'}, ${IN_FLIGHT} in flight`,
    ...middles.map((each) => `  ${each.name}: ${figuresText(each)}${against(each)}`),
  ];
}

function middleOf(figures: readonly SagaFigures[]): SagaFigures {
  const middle = (key: keyof SagaFigures): number =>
    figures.map((each) => each[key]).toSorted((one, other) => one - other)[
      Math.floor((figures.length - 1) / 2)
    ] ?? Number.NaN;
  return { perSecond: middle('perSecond'), p50Ms: middle('p50Ms'), p99Ms: middle('p99Ms') };
}

const say = (line: string): void => void process.stdout.write(`  ${line}\n`);
const figuresText = ({ perSecond, p50Ms, p99Ms }: SagaFigures): string =>
  `${Math.round(perSecond)} sagas/s, p50 ${p50Ms.toFixed(0)} ms, p99 ${p99Ms.toFixed(0)} ms`;
