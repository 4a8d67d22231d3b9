import { Spill } from '../src/spill';
import { madeBatch } from './made-rows';

/** Spills into the directory that its argument names until it is killed, and prints the token of each batch that is spilled. */
async function spillForEver(directory: string): Promise<void> {
  const spill = new Spill({ directory, bytesMax: 1_000_000_000, segmentBytes: 100_000 });
  spill.recover();
  for (;;) {
    const batch = madeBatch('a', 100);
    await spill.append(batch, () => {});
    process.stdout.write(`${batch.token}\n`);
  }
}

void spillForEver(process.argv[2] ?? '');
