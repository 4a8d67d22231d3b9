/**
 * What does not hold of a log: an event that was `changed`, is `missing`, was `inserted` or `reordered`; a `gap` in the
 * versions of a stream; a hash `tile`, a `root` or a `signature` that is not what it has to be; an `epoch` that does not continue
 * the one before; a log that was `cut`, or `rebuilt` since somebody kept its checkpoint; rows that were `pruned` without an event
 * that says so; events that stay `unsealed`; `prints` that are not those of their event;
 * rows that are `unreadable`, because a page of the table is damaged.
 */
export type FindingKind =
  | 'changed'
  | 'missing'
  | 'inserted'
  | 'reordered'
  | 'gap'
  | 'tile'
  | 'root'
  | 'signature'
  | 'epoch'
  | 'cut'
  | 'rebuilt'
  | 'pruned'
  | 'unsealed'
  | 'prints'
  | 'unreadable';

/** One thing that does not hold, with the leaf and the event that it is about. */
export interface LogFinding {
  readonly kind: FindingKind;
  readonly epoch: number;
  readonly index?: number;
  readonly eventId?: string;
  /** Columns that were changed, by their names in the entry. */
  readonly fields?: readonly string[];
  readonly message: string;
}
