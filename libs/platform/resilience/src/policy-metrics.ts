import { counter, gauge, histogram } from '@holdfast/observability';
import { listPolicyStates } from './policies';

/** Calls by how they ended. */
export const callSeconds = histogram({
  name: 'holdfast_resilience_call_duration_seconds',
  help: 'Time of calls of outside dependencies in seconds, all attempts and waits included, by policy and outcome (ok; refused: an answer that says no; failed, timeout, circuit_open, bulkhead_full, or given_up by the caller).',
  labels: ['policy', 'outcome'],
});

/** Second and later attempts. */
export const retriesTotal = counter({
  name: 'holdfast_resilience_retries_total',
  help: 'Second and later attempts at calls, made or withheld because the budget of retries was used up.',
  labels: ['policy', 'outcome'],
});

gauge({
  name: 'holdfast_resilience_circuits_open',
  help: 'Hosts of the dependency to which nothing but a try is sent, because attempts have failed in a row or a drill says so.',
  labels: ['policy'],
  collect() {
    this.reset();
    for (const { name, circuitsOpen } of listPolicyStates()) this.inc({ policy: name }, circuitsOpen);
  },
});

gauge({
  name: 'holdfast_resilience_calls_at_work',
  help: 'Calls of the dependency that are under way in this process.',
  labels: ['policy'],
  collect() {
    this.reset();
    for (const { name, atWork } of listPolicyStates()) this.inc({ policy: name }, atWork);
  },
});

gauge({
  name: 'holdfast_resilience_calls_waiting',
  help: 'Calls that wait for others of the dependency to end.',
  labels: ['policy'],
  collect() {
    this.reset();
    for (const { name, waiting } of listPolicyStates()) this.inc({ policy: name }, waiting);
  },
});
