/**
 * Why something was refused; stable, so that callers can tell the cases apart.
 *
 * - `bad_argument`: the caller's mistake: out of range, of the wrong length, contradicting itself.
 * - `malformed_…`: what was read is not in the format that it claims to be.
 * - `missing_hashes`: a reader gave less of a tile than the tree has.
 * - `wrong_tiles`: tiles that contradict each other or the root that they are to add up to.
 * - `wrong_proof`: an inclusion or consistency proof that proves nothing.
 * - `bad_signature`: a key that is known signed something else, or something else signed.
 * - `unsigned`: nobody who is known signed.
 * - `wrong_origin`: the checkpoint of another log.
 * - `too_few_witnesses`: fewer cosignatures than the policy wants.
 * - `not_canonical`: a value that canonical JSON has no text for.
 * - `too_large`: more than a limit allows.
 */
export type TlogErrorCode =
  | 'bad_argument'
  | 'malformed_tile'
  | 'malformed_path'
  | 'malformed_key'
  | 'malformed_note'
  | 'malformed_checkpoint'
  | 'malformed_proof'
  | 'malformed_request'
  | 'malformed_response'
  | 'missing_hashes'
  | 'wrong_tiles'
  | 'wrong_proof'
  | 'bad_signature'
  | 'unsigned'
  | 'wrong_origin'
  | 'too_few_witnesses'
  | 'not_canonical'
  | 'too_large';

/** The only error that this library throws of its own accord; what a reader or a transport throws passes through. */
export class TlogError extends Error {
  override readonly name = 'TlogError';

  constructor(
    readonly code: TlogErrorCode,
    message: string,
  ) {
    super(message);
  }
}

/** Throws unless the condition holds. */
export function check(condition: boolean, code: TlogErrorCode, message: string): asserts condition {
  if (!condition) throw new TlogError(code, message);
}
