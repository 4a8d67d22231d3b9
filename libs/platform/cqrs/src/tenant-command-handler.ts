import type { TenantTx } from '@holdfast/tenancy';
import { Inject } from '@nestjs/common';
import { IdempotentTransactions } from './idempotent-transactions';
import type { AnswerOf, TenantCommand } from './messages';

/**
 * A handler whose work is one transaction of the caller's tenant. Each has the same silhouette: load and lock, decide,
 * write, announce, return. It refuses by throwing a DomainError and may be run again after a deadlock.
 */
export abstract class TenantCommandHandler<C extends TenantCommand<unknown, unknown>> {
  @Inject(IdempotentTransactions)
  private readonly transactions!: IdempotentTransactions;

  /** Called by the command bus. */
  execute(command: C): Promise<never> {
    // Typed `never` because Nest infers the answer from the command's own type, not from the handler's.
    return this.transactions.run(command, (tx) => this.handle(tx, command)) as Promise<never>;
  }

  protected abstract handle(tx: TenantTx, command: C): Promise<AnswerOf<C>>;
}
