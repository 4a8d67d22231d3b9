import type { Command } from 'commander';
import { addJsonVerb, lazily } from '../verb';

/** `holdfast drill …` */
export function addDrills(program: Command): void {
  const drill = program
    .command('drill')
    .description(
      'Make a dependency of all API processes, workers and ingests fail on purpose, and see what comes of it.',
    );
  addJsonVerb(drill, 'list', 'List the drills of a process, and how its dependencies stand.', [
    'drill list',
    'drill list --api https://api.staging.example.com --key hfo_…',
  ])
    .option('--api <url>', 'the API process; otherwise the `holdfast dev` of this directory')
    .option('--key <key>', 'the operator’s key for it')
    .action(lazily(async () => (await import('../drills.js')).listDrills));
  addJsonVerb(
    drill,
    'run <name>',
    'Run a drill, watch it, and say what the process that is asked has seen.',
    ['drill run clickhouse-reads-fail', 'drill run partner-bank-slow --seconds 60 --delay 4000'],
  )
    .option('--seconds <seconds>', 'for how long, up to 300', '20')
    .option('--delay <ms>', 'how late attempts begin, of a drill that makes slow', '5000')
    .option('--confirm', 'also in production, where it fails requests of tenants')
    .option('--api <url>', 'the API process; otherwise the `holdfast dev` of this directory')
    .option('--key <key>', 'the operator’s key for it')
    .action(lazily(async () => (await import('../drills.js')).runDrill));
}
