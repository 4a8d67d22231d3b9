import { statement } from '@holdfast/database';
import { aggregate, type AggregateRow } from '@holdfast/tenancy';
import {
  participationCancelled,
  participationCompensated,
  participationCompleted,
  sagaCancelRequested,
  sagaCompensated,
  sagaCompensationBegun,
  sagaCompleted,
  sagaOperatorNeeded,
  sagaRetried,
  sagaStarted,
  sagaStepCompensated,
  sagaStepCompleted,
  sagaStepSettled,
} from './sagas.events';

interface FoldedSaga {
  readonly definition: string;
  readonly hash: string;
  readonly state: string;
  readonly place: number;
  readonly backward: boolean;
  readonly cancelRequested: boolean;
}

aggregate<FoldedSaga>('sagas.saga', {
  rows: statement<AggregateRow<FoldedSaga>>(
    'sagas.list_folded',
    `select id, version as "streamVersion", name as definition, hash, state, place, backward, cancel_requested as "cancelRequested"
     from sagas.sagas
     where tenant_id = $1 and id > $2
     order by id
     limit $3`,
  ),
  on: (on) => [
    on(sagaStarted, ({ definition, hash }) => ({
      ...{ definition, hash, state: 'running', place: 0 },
      ...{ backward: false, cancelRequested: false },
    })),
    on(sagaStepCompleted, ({ place }) => ({ place })),
    on(sagaCompensationBegun, ({ place }) => ({ place, backward: true, state: 'compensating' })),
    on(sagaStepCompensated, ({ place }) => ({ place })),
    on(sagaCompleted, () => ({ state: 'completed' })),
    on(sagaCompensated, () => ({ state: 'compensated' })),
    on(sagaOperatorNeeded, () => ({ state: 'needs_operator' })),
    on(sagaRetried, (_, { state }) => ({ state: state.backward ? 'compensating' : 'running' })),
    on(sagaStepSettled, (_, { state }) => ({ state: state.backward ? 'compensating' : 'running' })),
    on(sagaCancelRequested, () => ({ cancelRequested: true })),
  ],
});

interface FoldedParticipation {
  readonly step: string;
  readonly state: string;
}

aggregate<FoldedParticipation>('sagas.participation', {
  rows: statement<AggregateRow<FoldedParticipation>>(
    'sagas.list_folded_participations',
    `select id, version as "streamVersion", step, state
     from sagas.participations
     where tenant_id = $1 and id > $2
     order by id
     limit $3`,
  ),
  on: (on) => [
    on(participationCompleted, ({ step }) => ({ step, state: 'completed' })),
    on(participationCompensated, () => ({ state: 'compensated' })),
    on(participationCancelled, ({ step }) => ({ step, state: 'cancelled' })),
  ],
});
