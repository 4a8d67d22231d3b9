import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/**
 * A store that takes batches over HTTP and discards them, where a bench measures how much ingest takes in: a ClickHouse on another machine
 * costs the receiver what it costs to send to it. It tells its port. Whatever it is asked it answers with a roll-up that was just run.
 */
const LAST_RUN = `${JSON.stringify({ last: '1970-01-01 00:00:00.000000', now: '1970-01-01 00:00:00.000000', age: '0' })}\n`;

const server = createServer((request, response) => {
  request.resume();
  request.once('end', () =>
    response.end(request.url?.includes('insert_deduplication_token') ? '' : LAST_RUN),
  );
});
server.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port));
process.once('disconnect', () => process.exit());
