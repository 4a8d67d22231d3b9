import type { IncomingMessage } from 'node:http';
import { BODY_BYTES_MAX, RequestRefused, tooLarge } from '@holdfast/ingest';
import { gauge } from '@holdfast/observability';

type Done = (error: Error | null, body?: Buffer) => void;

/** A body that has not come to its end. */
interface Body {
  readonly chunks: Buffer[];
  bytes: number;
  end(error: Error | null): void;
}

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

/**
 * Reads bodies into memory, all that are under way together no more than a limit: who sends many of them slowly would hold as much as there
 * are connections. When it is reached, the one that has been under way for longest is refused with 429, to be sent again: an honest
 * one has come within milliseconds, and those that were begun to fill the memory are the oldest.
 */
export class Bodies {
  private readonly underWay = new Set<Body>();
  private bytes = 0;

  constructor(private readonly bytesMax: number) {
    bytesUnderWay = () => this.bytes;
  }

  /** Reads one, and calls back once: with all of it, or with why not. */
  read(request: IncomingMessage, done: Done): void {
    if (Number(request.headers['content-length']) > BODY_BYTES_MAX) return done(tooLarge());
    const onData = (chunk: Buffer): void => {
      body.chunks.push(chunk);
      body.bytes += chunk.length;
      this.bytes += chunk.length;
      if (body.bytes > BODY_BYTES_MAX) body.end(tooLarge());
      else if (this.bytes > this.bytesMax) this.refuseOldest();
    };
    const onEnd = (): void => body.end(null);
    const onError = (error: Error): void => body.end(Object.assign(error, { statusCode: 400 }));
    const body: Body = {
      chunks: [],
      bytes: 0,
      end: (error) => {
        this.underWay.delete(body);
        this.bytes -= body.bytes;
        request.off('data', onData).off('end', onEnd).off('error', onError);
        if (error) done(error);
        // A copy also of one chunk, which may be a view of what the socket reads into.
        else done(null, Buffer.concat(body.chunks, body.bytes));
      },
    };
    this.underWay.add(body);
    request.on('data', onData).on('end', onEnd).on('error', onError);
  }

  private refuseOldest(): void {
    const [oldest] = this.underWay;
    oldest?.end(new RequestRefused(429, 'ingest.busy', 'Too much is under way. Send it again later.'));
  }
}
