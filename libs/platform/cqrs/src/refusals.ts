import { DomainError } from '@holdfast/kernel';
import type { TenantTx } from '@holdfast/tenancy';
import { Injectable } from '@nestjs/common';
import { StoredRefusal } from './idempotency.errors';
import { TenantCommand, type TenantQuery } from './messages';
import { type Occurrence, Tallies } from './tallies';
import { requestRefused } from './trail.events';

type Message = TenantCommand<unknown, unknown> | TenantQuery<unknown, unknown>;

/**
 * Puts refusals into the trail: of commands all that say something about the request, of queries those for want of a
 * permission. A refusal that is stored beside its idempotency key is told in the same transaction, where it is the first of
 * its kind; every other one behind its answer.
 */
@Injectable()
export class Refusals {
  private readonly announced = new WeakSet<DomainError>();

  constructor(private readonly tallies: Tallies) {}

  /** In the transaction that stores the refusal. */
  async tellWithin(tx: TenantTx, command: Message, refusal: DomainError): Promise<void> {
    if (!isToldOf(command, refusal)) return;
    if (await this.tallies.tellWithin(tx, occurrenceOf(command, refusal))) this.announced.add(refusal);
  }

  /** Once the caller is told. Anything but a refusal is left alone. */
  note(message: Message, error: unknown): void {
    if (!isToldOf(message, error)) return;
    const occurrence = occurrenceOf(message, error);
    if (this.announced.has(error)) this.tallies.told(occurrence);
    else this.tallies.note(occurrence);
  }
}

/** Overload and outages say nothing about the request, and a refusal that is repeated under its key was told of. */
function isToldOf(message: Message, error: unknown): error is DomainError {
  if (!(error instanceof DomainError) || error instanceof StoredRefusal) return false;
  if (error.kind === 'unavailable' || error.kind === 'too_many') return false;
  return message instanceof TenantCommand || error.kind === 'forbidden';
}

function occurrenceOf(message: Message, { code, kind }: DomainError): Occurrence {
  return {
    caller: message.caller,
    type: requestRefused,
    about: { message: message.constructor.name, code, kind },
  };
}
