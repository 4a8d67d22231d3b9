import { createHash } from 'node:crypto';

/** The lines of a bundle with others in their places, under a trailer that fits: what everybody can make who has no key. */
export function rewriteBundle(bundle: Buffer, edit: (lines: readonly string[]) => readonly string[]): string {
  const lines = edit(bundle.toString().split('\n').slice(0, -2));
  let digest: Buffer = Buffer.alloc(32);
  for (const line of lines) digest = createHash('sha256').update(digest).update(`${line}\n`).digest();
  const leaves = lines.filter((line) => line.startsWith('{"leaf"'));
  const counts = {
    lines: lines.length,
    leaves: leaves.length,
    events: leaves.filter((line) => !line.includes('"row":null')).length,
    unsealed: lines.filter((line) => line.startsWith('{"unsealed"')).length,
  };
  const trailer = JSON.stringify({ trailer: { ...counts, digest: digest.toString('hex') } });
  return [...lines, trailer, ''].join('\n');
}
