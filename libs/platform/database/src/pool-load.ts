import { gauge } from '@holdfast/observability';

/** Connections of a pool: in use and idle, who waits for one, and how many there may be. */
export interface PoolLoad {
  readonly used: number;
  readonly idle: number;
  readonly waiting: number;
  readonly max: number;
}

/** Pools that are open in this process, by what they say of themselves. */
const open = new Map<() => PoolLoad, string>();

const connections = gauge({
  name: 'holdfast_database_connections',
  help: 'Connections to PostgreSQL by pool and state: used, idle, and requests waiting for one.',
  labels: ['pool', 'state'],
  collect() {
    this.reset();
    for (const [load, pool] of open) {
      const { used, idle, waiting } = load();
      for (const [state, count] of Object.entries({ used, idle, waiting })) this.inc({ pool, state }, count);
    }
  },
});

/** Shows a pool in the metrics until the function that is answered is called. */
export function showLoad(pool: string, load: () => PoolLoad): () => void {
  open.set(load, pool);
  connections.set({ pool, state: 'used' }, 0);
  return () => void open.delete(load);
}
