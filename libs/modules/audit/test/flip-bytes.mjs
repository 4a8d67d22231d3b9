/**
 * Changes one byte of a bundle at a time, and prints the places where the verifier did not notice, as JSON. A program of
 * its own, since the verifier is an ES module: node flip-bytes.mjs <verifier> <bundle> <key> <count> <seed>
 */
import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';

const [, , verifier, file, key, count, seed] = process.argv;
const { verifyBundle } = await import(pathToFileURL(verifier).href);
const bundle = readFileSync(file);

/** Mulberry32: small, and the same everywhere. */
let state = Number(seed);
function random(below) {
  state = (state + 0x6d_2b_79_f5) | 0;
  let mixed = Math.imul(state ^ (state >>> 15), state | 1);
  mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
  return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
}

const isIntact = async (bytes) => (await verifyBundle([bytes], { keys: [key] })).intact;

if (!(await isIntact(bundle))) throw new Error('the bundle is not intact to begin with');
const missed = [];
for (let flips = 0; flips < Number(count); flips += 1) {
  const at = random(bundle.length);
  const by = 1 + random(255);
  const changed = Buffer.from(bundle);
  changed[at] ^= by;
  if (await isIntact(changed)) missed.push({ at, by });
}
process.stdout.write(JSON.stringify({ bytes: bundle.length, missed }));
