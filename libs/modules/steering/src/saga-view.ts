import { idSchema } from '@holdfast/kernel';
import { findSaga, type SagaEvent, type SeenSaga } from '@holdfast/sagas';
import { z } from 'zod';

/** How far a saga is. */
export const sagaState = z.enum(['running', 'compensating', 'needs_operator', 'completed', 'compensated']);

/** A saga on the wire. What it began with and what its steps have answered may be personal, and is its module's to show. */
export const sagaView = z.object({
  id: idSchema,
  definition: z.string().meta({ description: 'Module and saga.', examples: ['payments.payment'] }),
  state: sagaState,
  step: z.string().nullable().meta({
    description:
      'The step that is done, compensated or waited for next. Null where none is, or this release does not know it.',
  }),
  reason: z.string().nullable().meta({
    description:
      'A stable code: why it was given up; of one that was not, why an operator is, or was, needed.',
  }),
  attempts: z.int().meta({ description: 'Attempts at the step that have failed in a row.' }),
  lastError: z.string().nullable().meta({
    description: 'A code of what the last attempt has failed with, and of why an operator is needed.',
  }),
  cancelRequested: z.boolean(),
  stuck: z.boolean().meta({
    description:
      'Whether somebody has to look at it: it waits for an operator, is open beyond its deadline, or nobody has taken it up for five minutes.',
  }),
  awaits: z.string().nullable().meta({ description: 'The type of the event that it waits for.' }),
  startedBy: z.string().meta({ description: 'The actor that began it.' }),
  startedAt: z.iso.datetime(),
  dueAt: z.iso.datetime().nullable().meta({
    description:
      'When it goes on at the latest; of one under way, since when. Null where it does not by itself.',
  }),
  deadlineAt: z.iso.datetime().meta({ description: 'When it is given up, as long as it can be.' }),
  endedAt: z.iso.datetime().nullable(),
});

/** A saga on the wire. */
export type SagaView = z.output<typeof sagaView>;

/** The module whose the saga is: nobody moves it but under its grant. */
export function moduleOf({ definition }: Pick<SagaView, 'definition'>): string {
  return definition.slice(0, definition.indexOf('.'));
}

/** A step, and what has become of it. */
export const sagaStepView = z.object({
  name: z.string(),
  kind: z
    .enum(['compensatable', 'pivot', 'retriable'])
    .nullable()
    .meta({ description: 'Null where this release does not know the definition.' }),
  state: z.enum(['pending', 'current', 'completed', 'compensated']),
});

/** Something that has happened to a saga. */
export const sagaHappeningView = z.object({
  at: z.iso.datetime(),
  what: z
    .string()
    .meta({ description: 'The event’s type behind `sagas.saga.`', examples: ['step_completed'] }),
  step: z.string().nullable(),
  code: z.string().nullable().meta({ description: 'Why; stable.' }),
  ticket: z.string().nullable().meta({
    description:
      'The operator’s record of how it is known what has become of a step that was settled by hand.',
  }),
  actor: z.string().meta({ description: 'Who did it: a module’s system, a member, a key or the operator.' }),
  act: z.string().nullable().meta({ description: 'Who acted as the actor.' }),
});

/** A saga with its steps in their order, and what has happened to it, the newest 300 at most. */
export const sagaDetailView = sagaView.extend({
  steps: z.array(sagaStepView),
  timeline: z.array(sagaHappeningView),
});

/** A saga with its steps and what has happened to it. */
export type SagaDetailView = z.output<typeof sagaDetailView>;

/** Shows a saga. */
export function showSaga(row: SeenSaga): SagaView {
  const { id, name, state, reason, attempts, lastError, cancelRequested, startedBy } = row;
  return {
    ...{
      id,
      definition: name,
      state,
      step: currentStep(row),
      reason,
      attempts,
      lastError,
      cancelRequested,
      startedBy,
    },
    stuck: row.isStuck,
    awaits: row.awaitsType,
    startedAt: row.startedAt.toISOString(),
    dueAt: row.dueAt?.toISOString() ?? null,
    deadlineAt: row.deadlineAt.toISOString(),
    endedAt: row.endedAt?.toISOString() ?? null,
  };
}

/** The same with its steps and events. */
export function showSagaDetail(row: SeenSaga, events: readonly SagaEvent[]): SagaDetailView {
  const timeline = events.map(({ type, at, ...event }) => ({
    at: at.toISOString(),
    what: type.slice('sagas.saga.'.length),
    ...event,
  }));
  const became = new Map<string, 'completed' | 'compensated'>();
  for (const { what, step } of timeline) {
    if (step === null) continue;
    if (what === 'step_completed') became.set(step, 'completed');
    if (what === 'step_compensated') became.set(step, 'compensated');
  }
  const current = currentStep(row);
  const known =
    findSaga(row.name, row.hash)?.steps ?? [...became.keys()].map((name) => ({ name, kind: null }));
  const steps = known.map(({ name, kind }) => ({
    ...{ name, kind },
    state: name === current ? ('current' as const) : (became.get(name) ?? ('pending' as const)),
  }));
  return { ...showSaga(row), steps, timeline };
}

function currentStep({ name, hash, place, endedAt }: SeenSaga): string | null {
  return endedAt ? null : (findSaga(name, hash)?.steps[place]?.name ?? null);
}
