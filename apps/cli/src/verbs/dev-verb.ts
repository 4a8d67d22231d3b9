import { type Command, InvalidArgumentError } from 'commander';
import { addVerb } from '../verb';

/** `holdfast dev`, which is what `npm start` runs. */
export function addDev(program: Command): void {
  addVerb(
    program,
    'dev',
    'Run everything in one process, with PostgreSQL and ClickHouse of its own and demo data.',
    ['dev', 'dev --port 9000 --no-demo', 'dev --reset'],
  )
    .option(
      '--port <port>',
      'port of the API; refused when it is taken (default: 8080, or a free one)',
      parsePort,
    )
    .option('--reset', 'remove what earlier starts have stored, and begin anew')
    .option('--no-demo', 'make no demo tenants')
    .action(async (asked: { readonly port?: number; readonly reset?: boolean; readonly demo: boolean }) => {
      const { runDev } = await import('../dev/dev.js');
      await runDev({ reset: false, ...asked });
    });
}

function parsePort(text: string): number {
  const port = Number(text);
  if (!/^\d{1,5}$/.test(text) || port > 65_535)
    throw new InvalidArgumentError('It is a number from 0 to 65535.');
  return port;
}
