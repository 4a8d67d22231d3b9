import { run, type Runner, runMigrations } from 'graphile-worker';
import type { BenchServers, Contestant, Handler, Movement, Publisher } from './contestant.bench';
import { CONNECTIONS } from './contestant.bench';
import { dropSchema, PlainWriter, type PlainTransaction } from './plain-writer.bench';

/** A job is a movement; a named queue for each tenant runs its jobs one after the other, as its documentation says. */
const ADD = `select graphile_worker.add_jobs(array(
  select row('moved', m, $1, null, null, null, null, null)::graphile_worker.job_spec from unnest($2::json[]) m))`;

export class GraphileWorkerContestant implements Contestant {
  readonly name = 'graphile-worker';
  readonly publisher = __filename;
  readonly tables = ['graphile_worker'];
  private runner: Runner | undefined;

  constructor(private readonly servers: BenchServers) {}

  async prepare(): Promise<void> {
    await dropSchema(this.servers.adminUrl, 'graphile_worker');
    await runMigrations({ connectionString: this.servers.adminUrl });
  }

  async start(handler: Handler): Promise<void> {
    this.runner = await run({
      connectionString: applicationUrl(this.servers.adminUrl),
      concurrency: CONNECTIONS,
      maxPoolSize: CONNECTIONS + 2,
      noHandleSignals: true,
      logger: quiet,
      taskList: { moved: (payload) => Promise.resolve(handler([payload as Movement])) },
      // Its page on performance: batches of jobs and of completions, where jobs are many and short.
      preset: { worker: { localQueue: { size: 50 }, completeJobBatchDelay: 0 } },
    });
  }

  async stop(): Promise<void> {
    await this.runner?.stop();
  }
}

export function openPublisher(servers: BenchServers, connectionsMax: number): Promise<Publisher> {
  const writer = new PlainWriter(servers.adminUrl, connectionsMax);
  const inTransaction = (
    client: PlainTransaction,
    tenantId: string,
    movements: readonly Movement[],
  ): Promise<unknown> => client.query(ADD, [tenantId, movements.map((each) => JSON.stringify(each))]);
  return Promise.resolve({
    commit: (tenantId, accountIds, committed) =>
      writer.commit(tenantId, accountIds, { inTransaction }, committed),
    close: () => writer.close(),
  });
}

function applicationUrl(url: string): string {
  return `${url}?application_name=bench%20delivery`;
}

const nothing = (): void => {};
const quiet = { error: nothing, warn: nothing, info: nothing, debug: nothing, scope: () => quiet } as never;
