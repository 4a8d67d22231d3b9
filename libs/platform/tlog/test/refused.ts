import type { TlogErrorCode } from '../src/tlog.errors';

/** What a test expects to be thrown: the library's error with this code. */
export const refused = (code: TlogErrorCode): Error => expect.objectContaining({ name: 'TlogError', code });
