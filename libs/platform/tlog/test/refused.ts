import type { TlogErrorCode } from '../src/tlog.errors';

/** What a test expects to be thrown: the library's error with this code. */
export function refused(code: TlogErrorCode): Error {
  const matcher: unknown = expect.objectContaining({ name: 'TlogError', code });
  return matcher as Error;
}
