import { DomainError } from '@holdfast/kernel';

/** The group declares that what it has done cannot be done again. */
export class NotReplayable extends DomainError {
  readonly code = 'events.not_replayable';
  readonly kind = 'refused';

  constructor(group: string) {
    super(`The group ${group} declares that its effects cannot be made again: it is never replayed.`);
  }
}

/** The group is replayed after a reset, which undoes everything, and so only from the beginning. */
export class ReplaysFromBeginning extends DomainError {
  readonly code = 'events.replays_from_beginning';
  readonly kind = 'refused';

  constructor(group: string) {
    super(`The group ${group} is reset when it is replayed, and so replayed from the beginning only.`);
  }
}

/** A store takes the events of all tenants behind one cursor, which goes back for all of them. */
export class StoreHasNoTenants extends DomainError {
  readonly code = 'events.store_has_no_tenants';
  readonly kind = 'refused';

  constructor(group: string) {
    super(`The group ${group} is a store with one position for all tenants: replay it for all of them.`);
  }
}

/** The idempotency key has done something else to the group before. */
export class ActedOtherwise extends DomainError {
  readonly code = 'idempotency.key_reused';
  readonly kind = 'refused';

  constructor() {
    super('This idempotency key belongs to a request with another body. Choose a new key.');
  }
}
