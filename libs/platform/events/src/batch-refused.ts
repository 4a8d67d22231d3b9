/**
 * The store answered, and stored nothing of the batch: something in it cannot be stored. Never thrown where the outcome is
 * unknown, since the batch is then cut anew, and a store that had taken it would get its events under two tokens.
 */
export class BatchRefused extends Error {
  override readonly name = 'BatchRefused';

  constructor(cause: unknown) {
    super(`the store refused a batch: ${String(cause)}`, { cause });
  }
}
