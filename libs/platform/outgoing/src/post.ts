import { performance } from 'node:perf_hooks';
import { Agent, type Dispatcher } from 'undici';
import { type PostOutcome, outcomeOfError, outcomeOfStatus } from './outcome';
import { type ConnectionOptions, pinnedAgent } from './pinned-connections';
import { retryAfterMs } from './retry-after';

/** What is posted, and where to. */
export interface Posting {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/** What came of it. Texts are cut to what a log may hold. */
export interface Answer {
  readonly outcome: PostOutcome;
  readonly latencyMs: number;
  readonly status: number | null;
  readonly responseHeaders: Readonly<Record<string, string>> | null;
  readonly responseBody: string | null;
  readonly retryAfterMs: number | undefined;
}

/** How much time and text a receiver may take. Tests take less. */
export interface PostLimits {
  /** From the first look at the name to the last byte of the answer; the longest that Standard Webhooks advises is 30 s. */
  readonly totalMs: number;
  /** Bytes of an answer's body that are read; whoever sends more is cut off. */
  readonly readMaxBytes: number;
  /** Bytes of it that are kept. */
  readonly keptMaxBytes: number;
}

const LIMITS: PostLimits = { totalMs: 15_000, readMaxBytes: 65_536, keptMaxBytes: 4_096 };
/** Of an answer's headers. */
const HEADERS_KEPT = 40;
const HEADER_KEPT_LENGTH = 500;

/** Posts to receivers. Follows no redirect, reads no more than it has to, and is done when the time is over. */
export class Postman {
  private readonly agent: Agent;
  private readonly limits: PostLimits;

  constructor(options: ConnectionOptions & { readonly limits?: Partial<PostLimits> | undefined }) {
    this.agent = pinnedAgent(options);
    this.limits = { ...LIMITS, ...options.limits };
  }

  /** Never throws: what goes wrong is an outcome. What the answer's status says holds, however its body ends. */
  async post(posting: Posting): Promise<Answer> {
    const startedAt = performance.now();
    const latencyMs = (): number => Math.round(performance.now() - startedAt);
    const signal = AbortSignal.timeout(this.limits.totalMs);
    try {
      const response = await this.request(posting, signal);
      const body = await this.readBody(response, signal);
      const status = response.statusCode;
      return {
        outcome: outcomeOfStatus(status),
        latencyMs: latencyMs(),
        status,
        responseHeaders: headersOf(response),
        responseBody: printable(body.subarray(0, this.limits.keptMaxBytes)),
        retryAfterMs: waitAskedBy(response),
      };
    } catch (error) {
      const nothing = { status: null, responseHeaders: null, responseBody: null, retryAfterMs: undefined };
      return { outcome: outcomeOfError(error), latencyMs: latencyMs(), ...nothing };
    }
  }

  /** Ends all connections. */
  async close(): Promise<void> {
    await this.agent.destroy();
  }

  private request({ url, headers, body }: Posting, signal: AbortSignal): Promise<Dispatcher.ResponseData> {
    const { totalMs } = this.limits;
    const target = new URL(url);
    return this.agent.request({
      origin: target.origin,
      path: `${target.pathname}${target.search}`,
      method: 'POST',
      headers,
      body,
      signal,
      headersTimeout: totalMs,
      bodyTimeout: totalMs,
    });
  }

  private async readBody({ body }: Dispatcher.ResponseData, signal: AbortSignal): Promise<Buffer> {
    const pieces: Buffer[] = [];
    let length = 0;
    try {
      for await (const piece of body) {
        pieces.push(piece as Buffer);
        length += (piece as Buffer).length;
        if (length >= this.limits.readMaxBytes || signal.aborted) break;
      }
    } catch {
      // The answer is there, and says what it says. An end that never comes is the receiver's affair.
    }
    body.destroy();
    return Buffer.concat(pieces);
  }
}

function headersOf({ headers }: Dispatcher.ResponseData): Record<string, string> {
  const entries = Object.entries(headers).slice(0, HEADERS_KEPT);
  return Object.fromEntries(
    entries.map(([name, value]) => [
      name,
      printable(Buffer.from(String(value)).subarray(0, HEADER_KEPT_LENGTH)),
    ]),
  );
}

/** Only where it means what we take it for: a redirect has one as well. */
function waitAskedBy({ statusCode, headers }: Dispatcher.ResponseData): number | undefined {
  if (statusCode !== 429 && statusCode !== 503) return undefined;
  return retryAfterMs(headers['retry-after']?.toString(), Date.now());
}

/** Text that PostgreSQL can hold, whatever bytes were sent. */
function printable(bytes: Buffer): string {
  return bytes.toString('utf8').replaceAll('\0', '\uFFFD');
}
