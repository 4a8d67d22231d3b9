/** Bytes of a file from one to before another. */
export interface ByteRange {
  readonly from: number;
  readonly to: number;
}

/**
 * The part of a file that a `Range` header asks for (RFC 9110, 14): undefined where it asks for all, for several parts, or in a
 * way that is not understood, which are answered with the whole; 'unsatisfiable' where the file ends before it.
 */
export function byteRange(
  header: string | undefined,
  bytes: number,
): ByteRange | 'unsatisfiable' | undefined {
  const [, first = '', last = ''] = /^bytes=(\d{0,16})-(\d{0,16})$/.exec(header ?? '') ?? [];
  if (first === '' && last === '') return undefined;
  if (first === '')
    return Number(last) > 0 ? { from: Math.max(0, bytes - Number(last)), to: bytes } : 'unsatisfiable';
  const to = last === '' ? bytes : Math.min(bytes, Number(last) + 1);
  if (last !== '' && Number(last) < Number(first)) return undefined;
  return Number(first) >= bytes ? 'unsatisfiable' : { from: Number(first), to };
}
