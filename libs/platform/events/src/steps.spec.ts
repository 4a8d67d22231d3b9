import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { at, injectFaults, STEPS, UnknownStep } from './steps';

describe('The steps of delivery', () => {
  afterEach(() => injectFaults([]));

  const sources = [__dirname, join(__dirname, '../../../modules/audit/src/sealing')]
    .flatMap((folder) =>
      readdirSync(folder, { recursive: true, encoding: 'utf8' })
        .filter((file) => file.endsWith('.ts') && !file.endsWith('.spec.ts'))
        .map((file) => readFileSync(join(folder, file), 'utf8')),
    )
    .join('\n');

  it.each(STEPS)('are passed by the code: %s', (step) => {
    expect(sources).toMatch(new RegExp(`at\\([^;]*'${step}'`));
  });

  it('cost no turn of the event loop while there are no faults', () => {
    expect(at('tenant-delivery.read')).toBeUndefined();
  });

  it('delay the pass that a fault names, and no other', async () => {
    injectFaults([{ step: 'tenant-delivery.read', action: 'sleep', sleepMs: 300, pass: 2 }]);
    const waits: boolean[] = [];
    for (let pass = 1; pass <= 3; pass += 1) {
      const passed = Promise.resolve(at('tenant-delivery.read')).then(() => false);
      waits.push(await Promise.race([passed, turn(true)]));
      await passed;
    }
    expect(waits).toEqual([false, true, false]);
  });

  it('refuse a fault at a step that there is not', () => {
    expect(() => injectFaults([{ step: 'a.b', action: 'kill', sleepMs: 0, pass: 1 }])).toThrow(UnknownStep);
  });
});
