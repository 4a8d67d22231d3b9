import { type ChildProcess, fork } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Sequencer } from '@holdfast/events';
import { type Caller, newId } from '@holdfast/kernel';
import { Database } from '@holdfast/database';
import { callerOf, TenantDatabase } from '@holdfast/tenancy';
import { Client } from 'pg';
import { findProof } from '../../../libs/modules/audit/src/log/event-proof.query';
import { verifyLog } from '../../../libs/modules/audit/src/verification/verify-by-hand';
import { OPEN_ACCOUNTS } from '../../../libs/modules/ledger/src/bench-accounts.sql';
import {
  ACCOUNTS,
  announceEvents,
  announceOne,
  HASH_PER_ROW,
  type LoadFigures,
  postTransfers,
  shareOf,
} from './audit-load.bench';
import type { BenchSealerOptions, BenchSealerOrder } from './audit-bench-sealer';
import type { BenchSystem } from './bench-system';

/** How large and how long: a run with `--quick` says whether it works, and not how fast. */
interface Scale {
  readonly pairs: number;
  readonly windowSeconds: number;
  readonly backlog: number;
  readonly lagSeconds: number;
  readonly proofs: number;
}

const WRITERS = 200;
const LAG_TENANTS = 100;
const LAG_PER_SECOND = 2_000;
/** Events of one commit at that rate. */
const LAG_BATCH = 5;
const POOL = 50;

// As the writers' own: about 600 bytes of an entry.
const FILL_LOG = `insert into events.log (xid, tenant_id, id, stream_type, stream_id, stream_version, type, schema_version, actor,
    correlation_id, occurred_at, data)
  select pg_current_xact_id(), $1, uuidv7(), 'bench.note', uuidv7(), 1, 'bench.note.taken', 1, 'key:bench', 'bench',
    clock_timestamp(), jsonb_build_object('amount', '100', 'asset', 'EUR/2', 'note', repeat('x', 100))
  from generate_series(1, $2::int)`;
const COUNT_UNSEALED = `select
    (select count(*) from events.log) - (select coalesce(sum(size) - count(*), 0) from audit.trees) as unsealed,
    (select count(*) from audit.trees t where t.size is distinct from (
      select c.size from audit.checkpoints c where c.tenant_id = t.tenant_id and c.epoch = t.epoch
      order by c.hour desc limit 1)) as unsigned`;
const SIGNED_SIZES =
  'select tenant_id, size, extract(epoch from signed_at) * 1000 as at from audit.checkpoints';
const PLACES = `select l.tenant_id, l.tile * 256 + i.place - 1 as leaf, extract(epoch from e.occurred_at) * 1000 as at
  from audit.leaves l
  cross join lateral unnest(l.event_ids) with ordinality i (id, place)
  join events.log e on e.tenant_id = l.tenant_id and e.id = i.id
  where l.tenant_id = any ($1::uuid[])`;
const PICK_EVENTS = `select id from events.log where tenant_id = $1 order by random() limit $2`;

/** Everything that is measured about sealing, in one run on one machine. */
export async function benchAudit(system: BenchSystem, seconds: number): Promise<string> {
  const isQuick = seconds < 10;
  const scale: Scale = isQuick
    ? { pairs: 1, windowSeconds: 2, backlog: 20_000, lagSeconds: 4, proofs: 100 }
    : { pairs: 5, windowSeconds: seconds / 6, backlog: 1_000_000, lagSeconds: seconds / 2, proofs: 1_000 };
  const bench = await AuditBench.open(system, scale);
  try {
    return await bench.run();
  } finally {
    await bench.close();
  }
}

class AuditBench {
  private readonly app: Database;
  private readonly tenants: TenantDatabase;
  private readonly sequencer: Sequencer;
  /** CPU of the sealer when it was looked at last. */
  private usedMs = 0;

  private constructor(
    private readonly system: BenchSystem,
    private readonly scale: Scale,
    private readonly admin: Client,
    private readonly sealer: ChildProcess,
    private readonly directory: string,
  ) {
    this.app = new Database({
      url: system.urlOf('holdfast_app'),
      name: 'holdfast bench',
      connectionsMax: POOL,
      acquireTimeoutMs: 60_000,
    });
    this.tenants = new TenantDatabase(this.app);
    this.sequencer = new Sequencer({
      relay: system.relay,
      onTick: () => {},
      report: (error, doing) => say(`${doing}: ${String(error)}`),
    });
  }

  static async open(system: BenchSystem, scale: Scale): Promise<AuditBench> {
    const admin = new Client({ connectionString: system.adminUrl });
    await admin.connect();
    const directory = mkdtempSync(join(tmpdir(), 'holdfast-signer-'));
    const sealer = fork(join(__dirname, 'audit-bench-sealer.js'));
    const { privateKey } = generateKeyPairSync('ed25519');
    const bench = new AuditBench(system, scale, admin, sealer, directory);
    await bench.tell({
      url: system.urlOf('holdfast_sealer'),
      directory,
      privateKey: privateKey.export({ type: 'pkcs8', format: 'der' }).toString('base64'),
      logName: 'holdfast.bench',
    });
    for (const text of HASH_PER_ROW) await admin.query(text);
    bench.sequencer.start();
    return bench;
  }

  async run(): Promise<string> {
    const lines = [
      await this.writePath(),
      await this.writers(),
      await this.backlogAndProofs(),
      await this.lag(),
    ];
    return lines.flat().join('\n');
  }

  async close(): Promise<void> {
    this.sealer.disconnect();
    await this.sequencer.stop();
    await this.admin.end();
    await this.app.close();
    rmSync(this.directory, { recursive: true, force: true });
  }

  /** Transfers with sealing on against off, in pairs whose order alternates. */
  private async writePath(): Promise<string[]> {
    const caller = await this.caller();
    await this.admin.query(OPEN_ACCOUNTS, [caller.tenantId, ACCOUNTS]);
    await this.admin.query('vacuum analyze ledger.accounts');
    const post = async (): Promise<LoadFigures> =>
      postTransfers(this.tenants, await this.caller(caller.tenantId), this.scale.windowSeconds);
    await post(); // What is prepared at a first use is not what is measured.
    return this.compare('ledger transfers, 64 clients', post);
  }

  /** 200 writers on one tenant, sealed and not, and with a hash over the row before instead. */
  private async writers(): Promise<string[]> {
    const { tenantId } = await this.caller();
    await this.admin.query('insert into bench.chains values ($1, $2)', [tenantId, Buffer.alloc(32)]);
    const announce = async (linked: boolean): Promise<LoadFigures> =>
      announceEvents(this.tenants, await this.caller(tenantId), {
        writers: WRITERS,
        seconds: this.scale.windowSeconds,
        linked,
      });
    await announce(false);
    const sealed = await this.compare('one event a transaction, 200 writers on one tenant', () =>
      announce(false),
    );
    const linked = await announce(true);
    const verified = await verifyLog(this.tenants, await this.caller(tenantId), {
      renew: () => this.caller(tenantId),
    });
    return [
      ...sealed,
      `  with a hash over the row before, under its lock: ${textOf(linked)}`,
      `  verified behind it: ${verified.checked} leaves, ${verified.findingCount} findings`,
    ];
  }

  /** A tenant's backlog until it is signed; proofs in that log, and all of it verified. */
  private async backlogAndProofs(): Promise<string[]> {
    const { backlog, proofs } = this.scale;
    const { tenantId } = await this.caller();
    for (let left = backlog; left > 0; left -= 50_000)
      await this.admin.query(FILL_LOG, [tenantId, Math.min(left, 50_000)]);
    await this.admin.query('vacuum analyze events.log');
    const drained = await this.drain();
    const { rows } = await this.admin.query<{ id: string }>(PICK_EVENTS, [tenantId, proofs]);
    const caller = await this.caller(tenantId);
    const took: number[] = [];
    for (const { id } of rows) {
      const startedAt = performance.now();
      await findProof(this.tenants, caller, { id });
      took.push(performance.now() - startedAt);
    }
    const startedAt = performance.now();
    const verified = await verifyLog(this.tenants, caller, { renew: () => this.caller(tenantId) });
    const perSecond = verified.checked / ((performance.now() - startedAt) / 1_000);
    return [
      `backlog of ${backlog} events of one tenant: ${rate(backlog / drained.seconds)} until signed; ${rate((backlog / drained.cpuMs) * 1_000)} per core of the sealer`,
      `proof of an event in that log: median ${ms(shareOf(took, 0.5))}, p99 ${ms(shareOf(took, 0.99))}`,
      `full verification: ${rate(perSecond)}, ${verified.findingCount} findings`,
    ];
  }

  /** From the append of an event to a stored checkpoint over it, at 2,000 events a second. */
  private async lag(): Promise<string[]> {
    const callers = await Promise.all(Array.from({ length: LAG_TENANTS }, () => this.caller()));
    const signed: { tenantId: string; size: number; atMs: number }[] = [];
    await this.tell('start');
    const before = await this.tell('stop');
    await this.tell('start');
    const watching = new AbortController();
    const watched = this.watch(signed, watching.signal);
    await this.write(callers);
    await this.untilSealed();
    await sleep(200);
    watching.abort();
    await watched;
    const cpuMs = (await this.tell('stop')) - before;
    const lags = await this.lagsOf(callers, signed);
    return [
      `lag at ${LAG_PER_SECOND} events/s over ${LAG_TENANTS} tenants: p50 ${ms(shareOf(lags, 0.5))}, p99 ${ms(shareOf(lags, 0.99))}, at most ${ms(shareOf(lags, 1))} (${lags.length} events; ${(cpuMs / this.scale.lagSeconds / 10).toFixed(0)} % of a core)`,
    ];
  }

  private async write(callers: readonly Caller[]): Promise<void> {
    const payload = JSON.stringify({ amount: '100', asset: 'EUR/2', note: 'x'.repeat(100) });
    const startedAt = performance.now();
    const writing = new Set<Promise<unknown>>();
    const commits = (LAG_PER_SECOND / LAG_BATCH) * this.scale.lagSeconds;
    for (let n = 0; n < commits; n += 1) {
      const aheadMs = (n * LAG_BATCH * 1_000) / LAG_PER_SECOND - (performance.now() - startedAt);
      if (aheadMs > 1) await sleep(aheadMs);
      const caller = callers[n % callers.length] as Caller;
      const one = this.tenants.transaction(caller, async (tx) => {
        for (let event = 0; event < LAG_BATCH; event += 1) await announceOne(tx, payload);
      });
      writing.add(one);
      void one.finally(() => writing.delete(one)).catch(() => {}); // Told of by the wait below.
    }
    await Promise.all(writing);
  }

  private async watch(
    signed: { tenantId: string; size: number; atMs: number }[],
    signal: AbortSignal,
  ): Promise<void> {
    while (!signal.aborted) {
      const { rows } = await this.admin.query<{ tenant_id: string; size: string; at: string }>(SIGNED_SIZES);
      for (const { tenant_id: tenantId, size, at } of rows)
        signed.push({ tenantId, size: Number(size), atMs: Number(at) });
      await sleep(50, undefined, { signal }).catch(() => {}); // Enough.
    }
  }

  private async lagsOf(
    callers: readonly Caller[],
    signed: readonly { tenantId: string; size: number; atMs: number }[],
  ): Promise<number[]> {
    const ids = callers.map(({ tenantId }) => tenantId);
    const { rows } = await this.admin.query<{ tenant_id: string; leaf: string; at: string }>(PLACES, [ids]);
    const byTenant = Map.groupBy(signed, ({ tenantId }) => tenantId);
    return rows.flatMap(({ tenant_id: tenantId, leaf, at }) => {
      const first = byTenant.get(tenantId)?.find(({ size }) => size > Number(leaf));
      return first ? [first.atMs - Number(at)] : [];
    });
  }

  private async compare(what: string, work: () => Promise<LoadFigures>): Promise<string[]> {
    const [on, off]: [LoadFigures[], LoadFigures[]] = [[], []];
    await this.drain();
    for (let pair = 0; pair < this.scale.pairs; pair += 1) {
      for (const isOn of pair % 2 === 0 ? [false, true] : [true, false]) {
        if (isOn) await this.tell('start');
        (isOn ? on : off).push(await work());
        if (isOn) await this.tell('stop');
        await this.drain();
        say(`${what}, sealing ${isOn ? 'on' : 'off'}: ${textOf((isOn ? on : off).at(-1) as LoadFigures)}`);
      }
    }
    const middle = (figures: readonly LoadFigures[], key: keyof LoadFigures): number =>
      shareOf(
        figures.map((figure) => figure[key]),
        0.5,
      );
    const change = (key: keyof LoadFigures): string =>
      `${((middle(on, key) / middle(off, key) - 1) * 100).toFixed(1)} %`;
    return [
      `${what}: ${rate(middle(off, 'perSecond'))} without sealing, ${rate(middle(on, 'perSecond'))} with it: ${change('perSecond')}`,
      `  p99 ${ms(middle(off, 'p99Ms'))} and ${ms(middle(on, 'p99Ms'))}: ${change('p99Ms')}`,
    ];
  }

  /** Seals everything that there is; answers how long that took, and the sealer's CPU. */
  private async drain(): Promise<{ seconds: number; cpuMs: number }> {
    await this.tell('start');
    const startedAt = performance.now();
    await this.untilSealed();
    const seconds = (performance.now() - startedAt) / 1_000;
    const stoppedMs = await this.tell('stop');
    const cpuMs = stoppedMs - this.usedMs;
    this.usedMs = stoppedMs;
    return { seconds, cpuMs };
  }

  private async untilSealed(): Promise<void> {
    for (;;) {
      const { rows } = await this.admin.query<{ unsealed: string; unsigned: string }>(COUNT_UNSEALED);
      if (Number(rows[0]?.unsealed) === 0 && Number(rows[0]?.unsigned) === 0) return;
      await sleep(100);
    }
  }

  private async tell(message: BenchSealerOptions | BenchSealerOrder): Promise<number> {
    this.sealer.send(message);
    const [cpuMs] = (await once(this.sealer, 'message')) as [number];
    return cpuMs;
  }

  private async caller(tenantId: string = newId()): Promise<Caller> {
    return callerOf(await this.system.grants.forSystem('bench', tenantId), { requestId: newId() });
  }
}

const say = (line: string): void => void process.stdout.write(`  ${line}\n`);
const ms = (value: number): string => `${value < 10 ? value.toFixed(2) : Math.round(value)} ms`;
const rate = (perSecond: number): string => `${Math.round(perSecond).toLocaleString('en')}/s`;
const textOf = ({ perSecond, p50Ms, p99Ms }: LoadFigures): string =>
  `${rate(perSecond)}, p50 ${ms(p50Ms)}, p99 ${ms(p99Ms)}`;
