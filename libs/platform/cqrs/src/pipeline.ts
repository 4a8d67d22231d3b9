import { DomainError, Forbidden, holds } from '@holdfast/kernel';
import { histogram, inSpan } from '@holdfast/observability';
import { Injectable } from '@nestjs/common';
import { noteActing } from './acting';
import { TenantCommand, TenantQuery } from './messages';
import { Refusals } from './refusals';

const messageSeconds = histogram({
  name: 'holdfast_message_duration_seconds',
  help: 'Time of commands and queries in seconds, by message and outcome (ok, the code of a refusal, or failed).',
  labels: ['message', 'outcome'],
});

/** What every command and query passes through, whatever its handler: authorisation, the deadline, a span, a metric, the trail of refusals. */
@Injectable()
export class Pipeline {
  constructor(private readonly refusals: Refusals) {}

  /** Runs `handle` for a message. Anything that is not a TenantCommand or TenantQuery is refused: it names no scope. */
  async run<T>(message: unknown, handle: () => Promise<T>): Promise<T> {
    if (!(message instanceof TenantCommand || message instanceof TenantQuery)) {
      throw new TypeError('messages extend TenantCommand or TenantQuery');
    }
    const { caller, scope } = message;
    if (message instanceof TenantCommand) noteActing(caller);
    const name = message.constructor.name;
    const attributes = { 'holdfast.tenant_id': caller.tenantId, 'holdfast.actor': caller.actor };
    const stop = messageSeconds.startTimer({ message: name });
    try {
      if (!isAllowed(message)) throw new Forbidden(scope);
      caller.deadline?.check();
      const answer = await inSpan(name, attributes, handle, caller);
      stop({ outcome: 'ok' });
      return answer;
    } catch (error) {
      stop({ outcome: error instanceof DomainError ? error.code : 'failed' });
      this.refusals.note(message, error);
      throw error;
    }
  }
}

function isAllowed(message: TenantCommand<unknown, unknown> | TenantQuery<unknown, unknown>): boolean {
  const { caller, scope } = message;
  const other = message instanceof TenantCommand ? message.otherScope : undefined;
  return holds(caller, scope) || (other !== undefined && holds(caller, other));
}
