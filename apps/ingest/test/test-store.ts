import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { createClient } from '@clickhouse/client';
import { TelemetryStore } from '@holdfast/clickhouse';

const PASSWORD = 'faults';

/** The telemetry store of a test: a process that can be killed and comes back at the same place with what it had. */
export class TestStore {
  readonly url: string;
  private child: ChildProcess | undefined;

  private constructor(
    private readonly program: string,
    private readonly directory: string,
    private readonly port: number,
  ) {
    this.url = `http://holdfast:${PASSWORD}@127.0.0.1:${port}`;
  }

  /** Starts it with the schema in it. `program`: store-process, compiled. */
  static async start(program: string, directory: string, port: number): Promise<TestStore> {
    const store = new TestStore(program, directory, port);
    await store.resume();
    const schema = new TelemetryStore({ url: store.url });
    await schema.migrate();
    await schema.close();
    return store;
  }

  get isRunning(): boolean {
    return this.child !== undefined;
  }

  /** Ends it at once, in the middle of whatever it does. */
  async kill(): Promise<void> {
    const { child } = this;
    this.child = undefined;
    if (!child) return;
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
  }

  /** Starts it on what is there. */
  async resume(): Promise<void> {
    const child = fork(this.program, [this.directory, String(this.port), PASSWORD], { execArgv: [] });
    this.child = child;
    await Promise.race([
      once(child, 'message'),
      once(child, 'exit').then(([code]) => Promise.reject(new Error(`the store ended with ${code}`))),
    ]);
  }

  /** The rows that a statement answers. */
  async rows<Row>(query: string, parameters: Readonly<Record<string, string>> = {}): Promise<Row[]> {
    const client = createClient({ url: this.url });
    try {
      const answer = await client.query({ query, query_params: { ...parameters }, format: 'JSONEachRow' });
      return await answer.json<Row>();
    } finally {
      await client.close();
    }
  }

  /** Ids of the messages of a run that reads find, in order: one that is there twice is here twice. */
  async idsOf(run: string): Promise<string[]> {
    const rows = await this.rows<{ message_id: string }>(
      `select message_id from telemetry.tracked final where startsWith(message_id, {run:String}) order by message_id`,
      { run: `${run}-` },
    );
    return rows.map(({ message_id: id }) => id);
  }
}
