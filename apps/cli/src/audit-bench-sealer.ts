import { Sealer } from '@holdfast/audit';
import { Database } from '@holdfast/database';

/** What the bench's sealer is told, in its first message. */
export interface BenchSealerOptions {
  readonly url: string;
  readonly directory: string;
  readonly privateKey: string;
  readonly logName: string;
}

/** What the bench asks of it, and what it answers to each: the CPU that it has used, in milliseconds. */
export type BenchSealerOrder = 'start' | 'stop';

let sealer: Sealer | undefined;
let open: (() => Sealer) | undefined;

/** A process of its own, as a worker is: what it costs is shared with PostgreSQL and the clients, but no event loop. */
process.on('message', (message: BenchSealerOptions | BenchSealerOrder) => {
  void obey(message).then(() => {
    const { user, system } = process.cpuUsage();
    process.send?.((user + system) / 1_000);
  });
});
process.on('disconnect', () => process.exit(0));

async function obey(message: BenchSealerOptions | BenchSealerOrder): Promise<void> {
  if (typeof message === 'object') {
    const { url, directory, privateKey, logName } = message;
    const database = new Database({ url, name: 'holdfast bench sealer', connectionsMax: 2 });
    const tell = (text: string): boolean => process.stderr.write(`${text}\n`);
    open = () =>
      new Sealer({
        database,
        logName,
        privateKeys: [privateKey],
        directory,
        report: (error, doing) => tell(`${doing}: ${String(error)}`),
        warn: tell,
      });
  } else if (message === 'start') {
    sealer = open?.();
    sealer?.start();
  } else {
    await sealer?.stop();
    sealer = undefined;
  }
}
