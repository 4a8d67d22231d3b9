import { type Caller } from '@holdfast/kernel';
import pino, { type DestinationStream, type Logger as PinoLogger } from 'pino';
import { scrub } from './scrub';
import { readTraceparent } from './traceparent';

/** Writes log lines: one JSON object a line, with the fields that the README lists. */
export type Logger = PinoLogger;

/** The fields of a log line and what each says. The README's table is made from it. */
export const logFields = {
  time: 'When, RFC 3339 in UTC.',
  level: 'fatal, error, warn, info, debug or trace.',
  app: 'Which process: api, worker, ingest, dev.',
  msg: 'What happened, as a sentence without values.',
  requestId:
    'The request, or job, at the root of the work; the same as X-Request-Id and as an event’s correlation id.',
  tenantId: 'The tenant for whom.',
  actor: 'Who acted: api_key:<id>, member:<id>, support:<id> or system:<consumer>.',
  act: 'The operator who acted for the tenant, as operator:<name>.',
  traceId: 'The trace of the work, as in W3C traceparent.',
  context: 'The part of the process that writes.',
  method: 'HTTP method of a request.',
  route: 'Route of a request, with its parameters’ names and never their values.',
  status: 'HTTP status of the answer.',
  durationMs: 'How long it took, in milliseconds.',
  code: 'The stable code of a refusal, as `area.reason`.',
  group: 'The consumer group that was at work.',
  count: 'How many: of events, rows or attempts, as the message says.',
  err: 'An error: type, message, stack and, where it has one, code.',
} as const;

/** What a log line may carry besides its message. A name that is not in `logFields` does not compile. */
export type LogFields = Partial<
  Record<Exclude<keyof typeof logFields, 'time' | 'level' | 'app' | 'msg'>, unknown>
>;

/** How a process logs. */
export interface LoggerOptions {
  /** The process, as the field `app`. */
  readonly app: string;
  /** The least serious level that is written: a name of pino's, or `silent`. */
  readonly level: string;
  /** Where lines go; absent: standard output. */
  readonly destination?: DestinationStream;
}

/**
 * A logger for a process.
 *
 * Whole lines are scrubbed of credentials as they leave (keys, bearer tokens, signed grants, passwords in URLs), so
 * that a text that was logged by mistake, or an error's message, gives none away.
 */
export function createLogger({ app, level, destination }: LoggerOptions): Logger {
  const options = {
    level,
    base: { app },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    serializers: { err: pino.stdSerializers.err },
    redact: { paths: SECRET_PATHS, censor: '[secret]' },
    hooks: { streamWrite: scrub },
  };
  return destination ? pino(options, destination) : pino(options);
}

/** The same logger for the work of one caller: every line says for whom, by whom and in which request. */
export function loggerFor(logger: Logger, caller: Caller): Logger {
  const { requestId, tenantId, actor, act, traceparent } = caller;
  const traceId = traceparent === undefined ? undefined : readTraceparent(traceparent)?.traceId;
  return logger.child({
    requestId,
    tenantId,
    actor,
    ...(act === undefined ? {} : { act }),
    ...(traceId === undefined ? {} : { traceId }),
  } satisfies LogFields);
}

const SECRET_NAMES = [
  'authorization',
  'cookie',
  'password',
  'secret',
  'grant',
  'key',
  'apiKey',
  'writeKey',
  'connectionString',
];

/** At the top and one level below. Deeper objects do not belong in a log line; what they spell is scrubbed all the same. */
const SECRET_PATHS = SECRET_NAMES.flatMap((name) => [name, `*.${name}`]);
