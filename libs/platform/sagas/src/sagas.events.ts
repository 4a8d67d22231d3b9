import { eventType } from '@holdfast/tenancy';
import { z } from 'zod';

const step = z.string().meta({ description: 'The name of the step in its definition.' });
const code = z.string().meta({ description: 'Why; stable.' });

export const sagaStarted = eventType('sagas.saga.started', {
  version: 1,
  description: 'A saga was begun. Its steps follow on the same stream.',
  schema: z.object({ definition: z.string(), hash: z.string().meta({ description: 'Of its definition.' }) }),
  example: { definition: 'payments.payment', hash: '0f1e2d3c4b5a6978' },
});

export const sagaStepCompleted = eventType('sagas.saga.step_completed', {
  version: 1,
  description: 'A step of the saga has taken effect.',
  schema: z.object({ step, place: z.int().meta({ description: 'The place that comes next.' }) }),
  example: { step: 'hold', place: 1 },
});

export const sagaCompensationBegun = eventType('sagas.saga.compensation_begun', {
  version: 1,
  description: 'The saga is given up: what it has done is compensated, in the reverse order.',
  schema: z.object({
    code,
    place: z
      .int()
      .meta({ description: 'The place of the step that is compensated first; -1 where there is none.' }),
  }),
  example: { code: 'ledger.exceeds_credits', place: 0 },
});

export const sagaStepCompensated = eventType('sagas.saga.step_compensated', {
  version: 1,
  description: 'What a step of the saga had done, or may have done, is taken back.',
  schema: z.object({
    step,
    place: z.int().meta({ description: 'The place that is compensated next; -1 behind the last.' }),
  }),
  example: { step: 'hold', place: -1 },
});

export const sagaCompleted = eventType('sagas.saga.completed', {
  version: 1,
  description: 'All steps of the saga have taken effect.',
  schema: z.object({}),
  example: {},
});

export const sagaCompensated = eventType('sagas.saga.compensated', {
  version: 1,
  description: 'Nothing of what the saga has done is left.',
  schema: z.object({}),
  example: {},
});

export const sagaOperatorNeeded = eventType('sagas.saga.operator_needed', {
  version: 1,
  description: 'A step, or a compensation, has failed for so long that a person has to look at it.',
  schema: z.object({ step, code }),
  example: { step: 'post', code: 'bank.unreachable' },
});

export const sagaRetried = eventType('sagas.saga.retried', {
  version: 1,
  description: 'An operator has it go on where it had stopped, in the direction in which it was.',
  schema: z.object({}),
  example: {},
});

export const sagaStepSettled = eventType('sagas.saga.step_settled', {
  version: 1,
  description:
    'An operator says what has become, outside, of the step at which it had stopped; it goes on behind that.',
  schema: z.object({
    step,
    as: z.enum(['done', 'refused', 'compensated']),
    ticket: z.string().meta({ description: 'The operator’s record of how that is known.' }),
  }),
  example: { step: 'pay', as: 'done', ticket: 'OPS-4711' },
});

export const sagaCancelRequested = eventType('sagas.saga.cancel_requested', {
  version: 1,
  description: 'The saga is to be given up before its next step.',
  schema: z.object({}),
  example: {},
});

export const participationCompleted = eventType('sagas.participation.completed', {
  version: 1,
  description: 'A step of a saga of another tenant was done in this one.',
  schema: z.object({ step }),
  example: { step: 'hold_for_payee' },
});

export const participationCompensated = eventType('sagas.participation.compensated', {
  version: 1,
  description: 'What was done for a saga of another tenant is taken back.',
  schema: z.object({ step }),
  example: { step: 'hold_for_payee' },
});

export const participationCancelled = eventType('sagas.participation.cancelled', {
  version: 1,
  description: 'A step of a saga of another tenant will not be done here: its saga was given up before.',
  schema: z.object({ step }),
  example: { step: 'hold_for_payee' },
});
