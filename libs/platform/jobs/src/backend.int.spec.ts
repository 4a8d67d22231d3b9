import { TestDatabase } from '@holdfast/testing';
import { prepareBackend } from './backend';

/** Guards that a process which stops, or whose server does, while its queues are being opened ends by itself. */
describe('The tables of queues in PostgreSQL', () => {
  let database: TestDatabase;

  beforeAll(async () => void (database = await TestDatabase.create()));
  afterAll(() => database.drop());

  async function cut(): Promise<undefined> {
    await database.admin(
      `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and usename = 'holdfast_jobs'`,
    );
  }

  it('are not prepared where the server ends meanwhile, and nothing else happens', async () => {
    const backend = { kind: 'postgres', url: database.url('holdfast_jobs') } as const;
    const prepare = (): Promise<string> =>
      prepareBackend(backend, 1_000).then(
        () => 'prepared',
        () => 'cut',
      );
    const outcomes: string[] = [];
    // One that was too quick for the cut does not count.
    while (!outcomes.includes('cut') && outcomes.length < 50) {
      const preparing = prepare();
      let outcome: string | undefined;
      let cutting: Promise<undefined>;
      do outcome = await Promise.race([preparing, (cutting = cut())]);
      while (outcome === undefined);
      outcomes.push(outcome);
      // Or it would hit whatever is prepared next.
      await cutting;
    }
    expect(outcomes.at(-1)).toBe('cut');
    await prepareBackend(backend, 5_000);
  });
});
