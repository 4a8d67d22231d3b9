import { globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { verifyConsistency, verifyInclusion } from './proof-verification';
import { TlogError } from './tlog.errors';

const folder = path.join(__dirname, '../test/vectors/merkle');

interface Vector {
  readonly desc: string;
  readonly wantErr: boolean;
  readonly proof: readonly string[] | null;
  readonly [field: string]: unknown;
}

/** The vectors hold 64-bit integers, which JSON.parse rounds unless it is shown their text. */
const readVector = (file: string): Vector =>
  JSON.parse(
    readFileSync(path.join(folder, file), 'utf8'),
    (_, value: unknown, context?: { source?: string }) =>
      typeof value === 'number' ? BigInt(context?.source ?? Number.NaN) : value,
  ) as Vector;

const bytes = (base64: unknown): Buffer => Buffer.from((base64 ?? '') as string, 'base64');
const hashes = (vector: Vector): Buffer[] => (vector.proof ?? []).map(bytes);

function outcomeOf(verify: () => void): boolean {
  try {
    verify();
    return false;
  } catch (error) {
    if (error instanceof TlogError && error.code === 'wrong_proof') return true;
    throw error;
  }
}

describe('The vectors of transparency-dev/merkle', () => {
  const inclusions = globSync('inclusion/**/*.json', { cwd: folder });
  const consistencies = globSync('consistency/**/*.json', { cwd: folder });

  test('are all here', () => expect([inclusions.length, consistencies.length]).toEqual([98, 98]));

  test.each(inclusions)('%s', (file) => {
    const vector = readVector(file);
    const claim = {
      leafHash: bytes(vector['leafHash']),
      index: vector['leafIdx'] as bigint,
      size: vector['treeSize'] as bigint,
      root: bytes(vector['root']),
      proof: hashes(vector),
    };
    expect(outcomeOf(() => verifyInclusion(claim))).toBe(vector.wantErr);
  });

  test.each(consistencies)('%s', (file) => {
    const vector = readVector(file);
    const claim = {
      oldSize: vector['size1'] as bigint,
      oldRoot: bytes(vector['root1']),
      newSize: vector['size2'] as bigint,
      newRoot: bytes(vector['root2']),
      proof: hashes(vector),
    };
    expect(outcomeOf(() => verifyConsistency(claim))).toBe(vector.wantErr);
  });
});
