import { randomUUID } from 'node:crypto';
import { DBOS } from '@dbos-inc/dbos-sdk';
import { Pool } from 'pg';
import { serve } from './closed-loop.mjs';

/** Three steps that write a row each, by DBOS Transact, with its own tables on the same server; compensations as its docs show them. */
const [, , url] = process.argv;
const pool = new Pool({ connectionString: url, max: 16 });
await pool.query(
  'create table if not exists effects (saga uuid not null, step text not null, primary key (saga, step))',
);

const insert = (id, step) => () =>
  pool
    .query({ name: 'insert', text: 'insert into effects (saga, step) values ($1, $2)', values: [id, step] })
    .then(() => null);

async function saga(id, failing) {
  const done = [];
  try {
    for (const step of ['one', 'two', 'three']) {
      if (failing && step === 'three') throw new Error('refused');
      await DBOS.runStep(insert(id, step), { name: step });
      done.push(step);
    }
  } catch {
    for (const step of done.toReversed())
      await DBOS.runStep(insert(id, `undo ${step}`), { name: `undo ${step}` });
  }
}

const run = DBOS.registerWorkflow(saga, { name: 'saga' });
DBOS.setConfig({
  name: 'bench',
  systemDatabaseUrl: url,
  systemDatabasePoolSize: 16,
  logLevel: 'error',
  runAdminServer: false,
});
await DBOS.launch();
serve((failing) => run(randomUUID(), failing));
process.on('disconnect', () => process.exit());
