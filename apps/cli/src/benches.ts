import { WrongUsage } from './failures';

/** Benches by name. Each starts servers of its own and prints its figures. */
const BENCHES: Readonly<Record<string, () => Promise<void>>> = {};

/** Runs the named benches one after the other, since two at a time would measure each other. */
export async function runBenches(names: readonly string[]): Promise<void> {
  const known = Object.keys(BENCHES);
  const unknown = names.filter((name) => !known.includes(name));
  if (unknown.length > 0)
    throw new WrongUsage(`There is no bench ${unknown.join(', ')}. There are: ${known.join(', ')}.`);
  for (const name of names.length > 0 ? names : known) await BENCHES[name]?.();
}
