import { createHash } from 'node:crypto';
import { DomainError, encodeJson } from '@holdfast/kernel';
import { sqlState } from '@holdfast/database';
import { TenantDatabase, type TenantTx } from '@holdfast/tenancy';
import { Injectable } from '@nestjs/common';
import { type AnswerKey, claimAnswer, findAnswer, noteAgain, storeAnswer } from './answers.sql';
import { IdempotencyInFlight, IdempotencyKeyReused, StoredRefusal } from './idempotency.errors';
import type { AnswerOf, Idempotency, TenantCommand } from './messages';
import { Refusals } from './refusals';

type AnyCommand = TenantCommand<unknown, unknown>;
type Outcome<Answer> = { readonly answer: Answer } | { readonly refusal: DomainError };

/** SQLSTATE of a lock that was waited for longer than lock_timeout. */
const LOCK_NOT_AVAILABLE = '55P03';

/**
 * Runs a command in one TenantTx together with the record of its answer, so that effect and answer are both there or
 * neither is. A repeated key gets the stored answer, refusals included; another body under the key is refused.
 *
 * A second request with the key, while the first is at work, is told so at once in the same process; from another
 * process it waits at the key's unique index for the first one's outcome, at most for lock_timeout.
 */
@Injectable()
export class IdempotentTransactions {
  private readonly inFlight = new Set<string>();

  constructor(
    private readonly tenants: TenantDatabase,
    private readonly refusals: Refusals,
  ) {}

  async run<C extends AnyCommand>(
    command: C,
    handle: (tx: TenantTx) => Promise<AnswerOf<C>>,
  ): Promise<AnswerOf<C>> {
    const { caller, idempotency } = command;
    if (!idempotency) return this.tenants.transaction(caller, handle);
    const key = { actor: caller.actor, route: command.constructor.name, key: idempotency.key };
    return this.alone([caller.tenantId, ...Object.values(key)].join('\n'), async () => {
      const outcome = await this.tenants.transaction(caller, (tx) =>
        this.once(tx, key, command, idempotency, handle),
      );
      if ('refusal' in outcome) throw outcome.refusal;
      return outcome.answer;
    });
  }

  private async alone<T>(id: string, work: () => Promise<T>): Promise<T> {
    if (this.inFlight.has(id)) throw new IdempotencyInFlight();
    this.inFlight.add(id);
    try {
      return await work();
    } finally {
      this.inFlight.delete(id);
    }
  }

  private async once<Answer>(
    tx: TenantTx,
    key: AnswerKey,
    command: AnyCommand,
    idempotency: Idempotency,
    handle: (tx: TenantTx) => Promise<Answer>,
  ): Promise<Outcome<Answer>> {
    const requestHash = createHash('sha256').update(encodeJson(command.input)).digest();
    if (!(await this.claim(tx, key, requestHash))) {
      const outcome = await replay<Answer>(tx, key, requestHash);
      idempotency.replayed = true;
      return outcome;
    }
    idempotency.replayed = false; // The transaction may be a second try of one that found an answer.
    const outcome = await attempt(tx, handle);
    const refused = 'refusal' in outcome;
    await storeAnswer(
      tx,
      key,
      refused,
      refused ? encodeRefusal(outcome.refusal) : encodeJson(outcome.answer ?? null),
    );
    if (refused) await this.refusals.tellWithin(tx, command, outcome.refusal);
    return outcome;
  }

  private async claim(tx: TenantTx, key: AnswerKey, requestHash: Buffer): Promise<boolean> {
    try {
      return await claimAnswer(tx, key, requestHash);
    } catch (error) {
      throw sqlState(error) === LOCK_NOT_AVAILABLE ? new IdempotencyInFlight() : error;
    }
  }
}

async function replay<Answer>(tx: TenantTx, key: AnswerKey, requestHash: Buffer): Promise<Outcome<Answer>> {
  const stored = await findAnswer(tx, key);
  if (!stored) throw new IdempotencyInFlight(); // Purged between the two statements: the key is a day old.
  if (!stored.request_hash.equals(requestHash)) throw new IdempotencyKeyReused();
  if (stored.refused)
    return { refusal: new StoredRefusal(stored.body as ConstructorParameters<typeof StoredRefusal>[0]) };
  await noteAgain(tx, stored.events ?? []);
  return { answer: stored.body as Answer };
}

/** A savepoint undoes what a refusing handler has written, and keeps the claim: the refusal is stored in its place. */
async function attempt<Answer>(
  tx: TenantTx,
  handle: (tx: TenantTx) => Promise<Answer>,
): Promise<Outcome<Answer>> {
  try {
    return { answer: await tx.savepoint(() => handle(tx)) };
  } catch (error) {
    // Overload and outages say nothing about the request: they are not its answer.
    if (!(error instanceof DomainError) || error.kind === 'unavailable' || error.kind === 'too_many')
      throw error;
    return { refusal: error };
  }
}

function encodeRefusal({ code, kind, message, errors }: DomainError): string {
  return JSON.stringify({ code, kind, message, errors });
}
