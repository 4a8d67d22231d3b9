import type { Command } from 'commander';
import { addVerb } from '../verb';

/**
 * `holdfast api`, `worker` and `ingest`: one process each, for production. They read the environment and nothing else; each
 * is its own `main.ts`, which runs as soon as it is loaded.
 */
export function addProcesses(program: Command): void {
  addVerb(program, 'api', 'Run one API process (REST and GraphQL) against the configured servers.', [
    'api',
    'api  # with DATABASE_URL, DATABASE_AUTH_URL, DATABASE_OPS_URL and CLICKHOUSE_URL set',
  ]).action(() => import('../../../api/src/main.js').then(nothing));
  addVerb(
    program,
    'worker',
    'Run one worker process (sequencer, relay, consumers) against the configured servers.',
    ['worker'],
  ).action(() => import('../../../worker/src/main.js').then(nothing));
  addVerb(
    program,
    'ingest',
    'Run one ingest process: it takes telemetry, whichever of the configured servers are away.',
    ['ingest'],
  ).action(() => import('../../../ingest/src/main.js').then(nothing));
}

const nothing = (): void => {};
