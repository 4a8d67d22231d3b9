import { ClickHouseFront, openChdb } from '@holdfast/embedded';

/** ClickHouse over HTTP in a process of its own, so that it can be killed: told its directory, port and password. */
async function main([directory = '', port = '', password = '']: readonly string[]): Promise<void> {
  const connection = await openChdb(directory);
  await ClickHouseFront.start(connection, { port: Number(port), password });
  process.send?.('ready');
}

void main(process.argv.slice(2));
// A test that dies takes it along.
process.once('disconnect', () => process.kill(process.pid, 'SIGKILL'));
