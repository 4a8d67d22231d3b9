import type { IncomingMessage } from 'node:http';
import { BODY_BYTES_MAX, RequestRefused, tooLarge } from '@holdfast/ingest';
import { gauge } from '@holdfast/observability';

/** Called once: with all of the body, or with why it is not read. */
type Done = (outcome: Buffer | RequestRefused) => void;

/** A body that has not come to its end. */
interface Body {
  /** What has come of it, and room for more. */
  memory: Buffer;
  bytes: number;
  readonly done: Done;
}

const NOTHING = Buffer.alloc(0);
/** How long a sender is asked to wait: others' bodies have come or were cut by then. */
export const BUSY_RETRY_SECONDS = 1;

// Set by the process's bodies when Prometheus asks.
let bytesUnderWay: (() => number) | undefined;
gauge({
  name: 'holdfast_ingest_body_bytes',
  help: 'Bytes in memory of bodies that have not come to their end.',
  collect() {
    if (bytesUnderWay) this.set(bytesUnderWay());
  },
});

/** Whether the head of a request says that its body is. */
export const isTooLarge = ({ headers }: IncomingMessage): boolean =>
  Number(headers['content-length']) > BODY_BYTES_MAX;

/**
 * Reads bodies into memory, each into one piece of its own that grows with it: chunks may be of a byte each, and weigh a hundred times
 * what they bring. All that are under way together no more than a limit: who sends many of them slowly would hold as much as there
 * are connections. When it is reached, the one that has been under way for longest is refused with 429, to be sent again: an honest
 * one has come within milliseconds, and those that were begun to fill the memory are the oldest.
 */
export class Bodies {
  private readonly underWay = new Set<Body>();
  private bytes = 0;

  constructor(private readonly bytesMax: number) {
    bytesUnderWay = () => this.bytes;
  }

  /** Reads one, and calls back once. */
  read(request: IncomingMessage, done: Done): void {
    if (isTooLarge(request)) return done(tooLarge());
    const body: Body = { memory: NOTHING, bytes: 0, done };
    this.underWay.add(body);
    request
      .on('data', (chunk: Buffer) => this.add(body, chunk))
      .on('end', () => this.end(body, body.memory.subarray(0, body.bytes)))
      .on('error', ({ message }) => this.end(body, new RequestRefused(400, 'ingest.bad_request', message)));
  }

  private end(body: Body, outcome: Buffer | RequestRefused): void {
    if (!this.underWay.delete(body)) return;
    this.bytes -= body.memory.length;
    body.memory = NOTHING;
    body.done(outcome);
  }

  /** Copies also what comes in one chunk, which may be a view of what the socket reads into. */
  private add(body: Body, chunk: Buffer): void {
    // Who is refused may go on to send.
    if (!this.underWay.has(body)) return;
    const bytes = body.bytes + chunk.length;
    if (bytes > BODY_BYTES_MAX) return this.end(body, tooLarge());
    if (bytes > body.memory.length) {
      const memory = Buffer.allocUnsafe(Math.min(Math.max(bytes, 2 * body.memory.length), BODY_BYTES_MAX));
      body.memory.copy(memory, 0, 0, body.bytes);
      this.bytes += memory.length - body.memory.length;
      body.memory = memory;
    }
    chunk.copy(body.memory, body.bytes);
    body.bytes = bytes;
    if (this.bytes > this.bytesMax) this.refuseOldest();
  }

  private refuseOldest(): void {
    const [oldest] = this.underWay;
    const refusal = new RequestRefused(429, 'ingest.busy', 'Too much is under way. Send it again later.');
    if (oldest) this.end(oldest, refusal);
  }
}
