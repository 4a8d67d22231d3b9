import { ConfigRefused } from '@holdfast/config';
import { DomainError } from '@holdfast/kernel';
import { scrub } from '@holdfast/observability';
import { CommanderError } from 'commander';

/** A verb did what it was asked, and the outcome is a failure that has been printed already. */
export class VerbFailed extends Error {
  override readonly name = 'VerbFailed';
}

/** What was asked cannot be done as it was asked. The message says what to do. */
export class WrongUsage extends Error {
  override readonly name = 'WrongUsage';
}

/** Errors whose message is for people; of any other the stack is wanted. */
const SPOKEN = new Set([
  'ApiFailed',
  'ChdbUnavailable',
  'DemoFailed',
  'DevRefused',
  'DevRuns',
  'ForeignPositions',
  'IsolationBroken',
  'MigrationRefused',
  'PortTaken',
]);

/** 0 for help and version, 2 for wrong usage, 1 for everything else that went wrong. */
export function exitCodeOf(error: unknown): 0 | 1 | 2 {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  return error instanceof ConfigRefused || error instanceof WrongUsage ? 2 : 1;
}

/** Prints an error where it has not been printed: to people as a sentence, to machines as one JSON object. */
export function printFailure(error: unknown, json: boolean): void {
  // Commander prints its own, and a verb that has failed has said why.
  if (error instanceof CommanderError || error instanceof VerbFailed) return;
  const { code, message } = describe(error);
  const text = json ? JSON.stringify({ error: { code, message: scrub(message) } }) : scrub(message);
  process.stderr.write(`${text}\n`);
}

function describe(thrown: unknown): { readonly code: string; readonly message: string } {
  if (!(thrown instanceof Error)) return { code: 'unknown', message: String(thrown) };
  // Of a request over HTTP that did not get through, the cause says why.
  const isRequest = thrown.message === 'fetch failed' && thrown.cause instanceof Error;
  const error = isRequest ? (thrown.cause as Error) : thrown;
  if (error instanceof DomainError) return { code: error.code, message: error.message };
  if (error instanceof ConfigRefused || error instanceof WrongUsage || SPOKEN.has(error.name)) {
    return { code: error.name, message: error.message };
  }
  // A connection that is refused on every address of a name has an empty message.
  const reason = error.message || ('code' in error ? String(error.code) : error.name);
  return {
    code: error.name,
    message:
      isRequest || isUnreachable(error)
        ? `The server cannot be reached (${reason}).`
        : (error.stack ?? reason),
  };
}

function isUnreachable(error: Error): boolean {
  if (error.name === 'TimeoutError') return true;
  return (
    'code' in error && ['ECONNREFUSED', 'ENOTFOUND', 'ETIMEDOUT', 'ECONNRESET'].includes(String(error.code))
  );
}
