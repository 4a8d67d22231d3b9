import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Where package.json stands, seen from the sources and from dist. */
const PACKAGES = ['../../../../package.json', '../../../../../package.json'];

/** The version of this checkout or image, as package.json says it. */
export function version(): string {
  for (const file of PACKAGES) {
    try {
      const { name, version: found } = JSON.parse(readFileSync(join(__dirname, file), 'utf8')) as Record<
        string,
        string
      >;
      if (name === 'holdfast' && found !== undefined) return found;
    } catch {
      // It stands at one of the two places.
    }
  }
  return 'unknown';
}
