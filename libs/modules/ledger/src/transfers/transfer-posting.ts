import { type Caller, deterministicId, newId } from '@holdfast/kernel';
import type { TenantCommand } from '@holdfast/cqrs';
import { refusalOf } from '../ledger.errors';
import type { Poster } from '../posting/poster';
import type { Posting, PostingTerms } from '../posting/post-batch.sql';
import { type TransferView, viewOf } from './transfer';
import type {
  ItemInput,
  PostHoldInput,
  PostTransferInput,
  ReverseTransferInput,
  VoidHoldInput,
} from './transfer-input';

/** What a posting asks for, without who asks under which id. */
type Wanted = Omit<Posting, 'caller' | 'id' | 'idGiven' | 'idempotencyKey' | 'detailed'>;

const LINKED = { linked: true } as const;

/** What a transfer or hold asks for. */
export function wantedOf(input: Omit<PostTransferInput, 'id'>, linked = false): Wanted {
  const { debitAccountId, creditAccountId, amount, balancing, minBalanceAfter, metadata } = input;
  const { debit, credit } = minBalanceAfter ?? {};
  const terms = termsOf({
    ...(balancing && balancing !== 'none' && { balancing, amount: String(amount) }),
    ...((debit ?? credit) && { min_balance_after: { ...(debit && { debit }), ...(credit && { credit }) } }),
    ...(input.effectiveDate && { effective_date: input.effectiveDate }),
    ...(input.timeoutSeconds !== null && { timeout_seconds: input.timeoutSeconds }),
    ...(linked && LINKED),
  });
  const kind = input.pending ? 'hold' : 'transfer';
  return { kind, targetId: null, debitAccountId, creditAccountId, amount, metadata, terms };
}

/** The fields of what refers to another transfer, which has the accounts. */
const following = (
  kind: Posting['kind'],
  targetId: string,
): Pick<Wanted, 'kind' | 'targetId' | 'debitAccountId' | 'creditAccountId'> => ({
  kind,
  targetId,
  debitAccountId: null,
  creditAccountId: null,
});

/** That a hold is posted. */
export function postOf(holdId: string, { amount, metadata }: PostHoldInput, linked = false): Wanted {
  const terms = termsOf({ ...(amount && { amount: String(amount) }), ...(linked && LINKED) });
  return { ...following('post', holdId), amount: amount ?? 0n, metadata, terms };
}

/** That a hold is given back. */
export function voidOf(holdId: string, { metadata }: VoidHoldInput, linked = false): Wanted {
  return { ...following('void', holdId), amount: 0n, metadata, terms: termsOf({ ...(linked && LINKED) }) };
}

/** That a posted transfer is made the other way round. */
export function reversalOf(transferId: string, input: ReverseTransferInput, linked = false): Wanted {
  const { effectiveDate, metadata } = input;
  const terms = termsOf({
    ...(effectiveDate && { effective_date: effectiveDate }),
    ...(linked && LINKED),
  });
  return { ...following('reversal', transferId), amount: 0n, metadata, terms };
}

/** The posting of an item, under the client's own id. */
export function postingOfItem(caller: Caller, item: ItemInput, detailed: boolean): Posting {
  return { caller, id: item.id, idGiven: true, idempotencyKey: null, detailed, ...wantedOfItem(item) };
}

/** What an item of a batch asks for. */
export function wantedOfItem(item: ItemInput): Wanted {
  if (item.kind === 'post') return postOf(item.targetId, item, item.linked);
  if (item.kind === 'void') return voidOf(item.targetId, item, item.linked);
  if (item.kind === 'reversal') return reversalOf(item.targetId, item, item.linked);
  return wantedOf(item, item.linked);
}

/** The posting of a command. Keys count for one kind of request of one actor. */
export function postingOf(
  { caller, idempotency }: Pick<TenantCommand<unknown, unknown>, 'caller' | 'idempotency'>,
  route: string,
  id: string | undefined,
  wanted: Wanted,
): Posting {
  const idempotencyKey = idempotency ? deterministicId(caller.actor, route, idempotency.key) : null;
  return { caller, id: id ?? newId(), idGiven: id !== undefined, idempotencyKey, detailed: true, ...wanted };
}

/**
 * Posts for a command, together with others, and answers the transfer as it was made: a repeated command gets the same
 * answer, whatever became of the transfer since. Throws what `ledger.post_items` refuses with.
 */
export async function postAlone(
  poster: Poster,
  { caller, idempotency }: Pick<TenantCommand<unknown, unknown>, 'caller' | 'idempotency'>,
  posting: Posting,
): Promise<TransferView> {
  const [result] = await poster.submit(caller, [posting]);
  if (!result) throw new Error('ledger.post_items left an item without a result');
  if (idempotency) idempotency.replayed = result.replayed;
  const refusal = refusalOf(result.result);
  if (refusal) throw refusal;
  return viewOf(posting, result);
}

/** Null for none: requests are compared. */
function termsOf(terms: PostingTerms): PostingTerms | null {
  return Object.keys(terms).length > 0 ? terms : null;
}
