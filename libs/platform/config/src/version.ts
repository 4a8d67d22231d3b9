import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** The version of the checkout or image that this file stands in, as the package.json above it says. */
export function version(): string {
  for (let directory = __dirname; directory !== dirname(directory); directory = dirname(directory)) {
    try {
      const text = readFileSync(join(directory, 'package.json'), 'utf8');
      const { name, version: found } = JSON.parse(text) as Record<string, string>;
      if (name === 'holdfast' && found !== undefined) return found;
    } catch {
      // It stands further up.
    }
  }
  return 'unknown';
}
