import { DomainError } from '@holdfast/kernel';

/** A sealer is through within seconds; who asks again sooner only asks twice. */
const SEALED_AFTER_SECONDS = 5;

/** What is asked about is not under a signed checkpoint, or not under one that a witness has cosigned. */
export class NotSealed extends DomainError {
  readonly code = 'audit.not_sealed';
  readonly kind = 'conflict';
  override readonly retryAfterSeconds = SEALED_AFTER_SECONDS;

  constructor() {
    super(
      'This is not under a checkpoint. Events are sealed within seconds; witnesses cosign within minutes.',
    );
  }
}

/** The retention has removed the events; their hashes stand in the tiles for ever. */
export class EntriesPruned extends DomainError {
  readonly code = 'audit.entries_pruned';
  readonly kind = 'gone';

  constructor() {
    super(
      'Events of this bundle were removed by the retention. The tiles still prove them to whoever has kept them.',
    );
  }
}

/** Events that are sealed are not in the database, and no retention has removed them. */
export class EntriesMissing extends DomainError {
  readonly code = 'audit.entries_missing';
  readonly kind = 'gone';

  constructor() {
    super(
      'Events of this bundle are sealed and not there, and no retention has removed them. Run `holdfast audit verify`.',
    );
  }
}

/** What the database has is not what was sealed: no proof of it can be given. */
export class EventAltered extends DomainError {
  readonly code = 'audit.event_altered';
  readonly kind = 'conflict';

  constructor() {
    super('The log proves another event than the one that is stored. Run `holdfast audit verify`.');
  }
}
