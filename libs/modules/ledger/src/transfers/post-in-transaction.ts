import type { DomainError } from '@holdfast/kernel';
import type { TenantTx } from '@holdfast/tenancy';
import { refusalOf } from '../ledger.errors';
import { eventIdsFor, postWithin } from '../posting/post-batch.sql';
import { committedEventsOf, replayedStreamsOf } from '../posting/posted-events';
import { listPostedEvents } from '../posting/replayed-events.sql';
import { type TransferView, viewOf } from './transfer';
import { postTransfersInput, type WrittenItem } from './transfer-input';
import { postingOfItem } from './transfer-posting';

/** What came of an item: the transfer that it made, by this call or before, or why there is none. */
export interface PostedItem {
  readonly id: string;
  /** `created`, `exists`, or the code of the refusal. */
  readonly result: string;
  readonly transfer: TransferView | null;
  readonly refusal: DomainError | null;
}

/**
 * Moves money in a transaction of another module's command, in its caller's name: it is committed with the command's own
 * rows and events, or none of it is. Items are those of a batch, with the same promises, up to 8,000; the results are in
 * their order. A refused item throws nothing: whoever cannot do without it throws its `refusal`, and then the refusal is not
 * remembered either.
 *
 * The accounts stay locked until the commit. So lock and write rows of your own first, and post once, last, with all items:
 * one call takes its locks in an order that all of the ledger shares. A transaction that posts twice may meet another that
 * locks the same accounts the other way round; PostgreSQL ends one of the two (40P01), and one that has met an id in
 * use (40001), and `TenantDatabase.transaction` runs it again, as it does every command. Such a run may have no effect but in
 * the transaction. The scope of the command is checked, and not `ledger:write` besides.
 */
export async function postInTransaction(tx: TenantTx, items: readonly WrittenItem[]): Promise<PostedItem[]> {
  const postings = postTransfersInput
    .parse({ items })
    .items.map((item) => postingOfItem(tx.caller, item, true));
  const eventIds = eventIdsFor(postings);
  const results = await postWithin(tx, postings, eventIds);
  if (tx.caller.committed) {
    tx.noteEvents(committedEventsOf(postings, results, eventIds));
    const replayed = replayedStreamsOf(postings, results);
    if (replayed.length > 0) tx.noteEvents(await listPostedEvents(tx, replayed));
  }
  return postings.map((posting, index) => {
    const result = results[index];
    if (!result) throw new Error('ledger.post_items left an item without a result');
    const refusal = refusalOf(result.result) ?? null;
    const transfer = refusal ? null : viewOf(posting, result);
    return { id: posting.id, result: result.result, transfer, refusal };
  });
}
