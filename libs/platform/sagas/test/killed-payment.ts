import { DomainError, newId } from '@holdfast/kernel';
import type { TenantTx } from '@holdfast/tenancy';
import { z } from 'zod';
import { type Saga, saga, type StepContext } from '../src/saga';

/** What a saga of the kill tests begins with. */
export const killedInput = z.strictObject({
  /** The other tenant. */
  payeeId: z.guid(),
  /** Of the server that stands for a bank. */
  bankUrl: z.url(),
  /** Whether the pivot refuses, so that everything is taken back. */
  isRefused: z.boolean(),
});

type Input = z.output<typeof killedInput>;

class Refused extends DomainError {
  readonly code = 'test.refused';
  readonly kind = 'refused';
  constructor() {
    super('It was decided against it.');
  }
}

/** An event that says what was done under the key: one too many is one too many events, since nothing refuses the second. */
function effect(
  tx: TenantTx,
  { key, sagaId }: StepContext<Input, unknown>,
  what: 'made' | 'undone',
  revision: number,
): Promise<void> {
  return tx.announce({
    ...{ id: newId(), type: `test.kill.${what}`, schemaVersion: 1, streamType: 'test.kill' },
    ...{ streamId: newId(), streamVersion: 1n, payload: JSON.stringify({ key, sagaId, revision }) },
  });
}

/** Something that may be the last that the process does. */
export type Boundary = <T>(work: () => Promise<T>) => Promise<T>;

/** A saga with every kind of step: here, in another tenant, outside, a pivot, and the two that follow it. */
export function killedPayment(revision: number, boundary: Boundary): Saga<Input> {
  const ask = (
    what: string,
    { key, input }: Pick<StepContext<Input>, 'key' | 'input'>,
    signal: AbortSignal,
  ): Promise<void> =>
    boundary(async () => {
      const answer = await fetch(`${input.bankUrl}/${what}/${key}`, { method: 'POST', signal });
      if (!answer.ok) throw new Error(`the bank answers ${answer.status}`);
    });
  return saga({ name: 'test.killed', input: killedInput, revision })
    .compensatable('hold', {
      run: (tx, ctx) => effect(tx, ctx, 'made', revision),
      compensate: (tx, ctx) => effect(tx, ctx, 'undone', revision),
    })
    .compensatable('hold_for_payee', {
      tenant: ({ payeeId }) => payeeId,
      run: (tx, ctx) => effect(tx, ctx, 'made', revision),
      compensate: (tx, ctx) => effect(tx, ctx, 'undone', revision),
    })
    .compensatable('reserve', {
      call: ({ signal, ...ctx }) => ask('pay', ctx, signal),
      cancel: ({ signal, ...ctx }) => ask('cancel', ctx, signal),
    })
    .pivot('decide', {
      run: (tx, ctx) => {
        if (ctx.input.isRefused) throw new Refused();
        return effect(tx, ctx, 'made', revision);
      },
    })
    .retriable('post_for_payee', {
      tenant: ({ payeeId }) => payeeId,
      run: (tx, ctx) => effect(tx, ctx, 'made', revision),
    })
    .retriable('notify', { call: ({ signal, ...ctx }) => ask('pay', ctx, signal) })
    .build();
}
