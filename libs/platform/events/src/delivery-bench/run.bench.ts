import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import { ACCOUNTS_IN_ALL, prepareAccounts } from './accounts.bench';
import type { BenchServers, Contestant } from './contestant.bench';
import { type DeadTuples, type ServerCost, ServerGauge, spent } from './cost.bench';
import { type Load, Writers } from './load.bench';
import { CommitTimes, nowMs, type Outcome, Tally } from './tally.bench';

/** What stands open beside the load: nothing, a transaction that has written, or one that reads in one snapshot. */
export type Beside = 'nothing' | 'writer' | 'reader';

/** What a run came to. */
export interface Figures extends Outcome {
  readonly contestant: string;
  readonly beside: Beside;
  /** Handled, from the first commit (or the start of delivery, of a backlog) to the last handling. */
  readonly eventsPerSecond: number;
  /** Per event. */
  readonly deadTuples: DeadTuples;
  /** CPU per event in microseconds: of delivery's thread, of the writers', and of the server by application. */
  readonly deliveryUs: number;
  readonly writersUs: number;
  readonly serverUs: ServerCost;
}

const OPENING: Readonly<Record<Beside, readonly string[]>> = {
  nothing: [],
  writer: ['begin', 'select pg_current_xact_id()'],
  reader: ['begin isolation level repeatable read', 'select count(*) from bench.accounts'],
};

let runs = 0;

/** One run of one contestant: writers, what stands open, and eyes on all of it. */
export class Run {
  private readonly times = new CommitTimes((runs += 1) * ACCOUNTS_IN_ALL);
  private readonly tally = new Tally(this.times);
  private readonly gauge: ServerGauge;
  private readonly other: Client;

  /** What is not there `settleMs` after the last commit counts as missing. */
  constructor(
    private readonly servers: BenchServers,
    private readonly contestant: Contestant,
    private readonly settleMs: number,
  ) {
    this.gauge = new ServerGauge(servers.adminUrl);
    this.other = new Client({
      connectionString: servers.adminUrl,
      application_name: 'bench open transaction',
    });
  }

  /** Delivers while the load goes on. */
  async underLoad(load: Load, beside: Beside): Promise<Figures> {
    const writers = await this.begin();
    try {
      await this.contestant.start(this.tally.handle);
      // Plans, pools and the migration of queues.
      const warmedUp = await writers.write({ ...load, seconds: 1 });
      await this.settled(warmedUp.events);
      this.times.clear();
      for (const statement of OPENING[beside]) await this.other.query(statement);
      return await this.measure(beside, () => writers.write(load), warmedUp.events);
    } finally {
      await this.end(writers);
    }
  }

  /** Delivers what was written before. */
  async ofBacklog(load: Load): Promise<Figures> {
    const writers = await this.begin();
    try {
      // A group begins where the log is when it is known for the first time.
      await this.contestant.start(this.tally.handle);
      await sleep(500);
      await this.contestant.stop();
      const { events } = await writers.write(load);
      return await this.measure('nothing', async () => {
        await this.contestant.start(this.tally.handle);
        return { events, cpuMs: 0 };
      });
    } finally {
      await this.end(writers);
    }
  }

  private async begin(): Promise<Writers> {
    const { servers, contestant, times } = this;
    const tenants = await prepareAccounts(servers.adminUrl, times.firstPlace);
    await contestant.prepare();
    await this.gauge.open();
    await this.other.connect();
    const { publisher } = contestant;
    return Writers.start({ servers, publisher, tenants, firstPlace: times.firstPlace, shared: times.shared });
  }

  private async end(writers: Writers): Promise<void> {
    await writers.stop();
    await this.contestant.stop();
    await Promise.all([this.gauge.close(), this.other.end()]);
  }

  private async measure(
    beside: Beside,
    work: () => Promise<{ readonly events: number; readonly cpuMs: number }>,
    before = 0,
  ): Promise<Figures> {
    const { gauge, tally, contestant } = this;
    const dead = await gauge.deadTuples(contestant.tables);
    const cost = await gauge.cost();
    const cpu = process.threadCpuUsage();
    const startedAt = nowMs();
    const { events, cpuMs } = await work();
    await this.settled(before + events);
    const { user, system } = process.threadCpuUsage(cpu);
    const spentMs = spent(cost, await gauge.cost());
    const left = await gauge.deadTuples(contestant.tables);
    const per = (amount: number): number => amount / events;
    return {
      contestant: contestant.name,
      beside,
      ...tally.outcome(),
      eventsPerSecond: (tally.handled - before) / ((tally.lastHandledAt - startedAt) / 1_000),
      deadTuples: { made: per(left.made - dead.made), hot: per(left.hot - dead.hot), dead: per(left.dead) },
      deliveryUs: per(user + system),
      writersUs: per(cpuMs * 1_000),
      serverUs: new Map([...spentMs].map(([name, ms]) => [name, per(ms * 1_000)])),
    };
  }

  private async settled(events: number): Promise<void> {
    const deadline = nowMs() + this.settleMs;
    while (this.tally.handled < events && nowMs() < deadline) await sleep(20);
  }
}
