import { newId } from '@holdfast/kernel';
import { TestDatabase } from '@holdfast/testing';
import { appendToTiles, leafHash } from '@holdfast/tlog';
import { runVerifier, type Verdict } from '../../test/bundle-check';
import { HandSealer } from '../../test/hand-sealer';
import { rewriteBundle } from '../../test/rewrite-bundle';
import { TamperedLog } from '../../test/tampered-log';
import { epochEntry, eventEntry, fieldPrints, type LeafRow } from '../sealing/leaf';

/** Of a line that says what is in a bundle, what a forger changes. */
interface Line {
  leaf?: { row: LeafRow; prints: string };
  tile?: { hashes: string };
}
type Edit = (lines: readonly string[]) => readonly string[];

const NEVER = '9000000000000000000';

// Guards: a bundle is what its writer wants it to be. Nothing in it but what a checkpoint covers is anybody's word.
describe('A bundle that was written anew by who has no key', () => {
  let database: TestDatabase;
  let log: TamperedLog;

  beforeAll(async () => {
    database = await TestDatabase.create();
  });
  afterAll(() => database.drop());
  beforeEach(async () => {
    log = await TamperedLog.create(database, new HandSealer(database), 20);
  });

  const isOf = (kind: string) => (line: string) => line.startsWith(`{"${kind}"`);
  const lineOf = (line: string): Line => JSON.parse(line) as Line;
  const rowsOf = (lines: readonly string[]): LeafRow[] =>
    lines.filter(isOf('leaf')).flatMap((line) => lineOf(line).leaf?.row ?? []);
  const waiting = (row: LeafRow, index: string | null = null): string =>
    JSON.stringify({ unsealed: { index, row: { ...row, actor: 'system:eve' } } });

  async function verify(edit: Edit): Promise<Verdict> {
    const forged = rewriteBundle(await log.bundle(), edit);
    const key = log.sealer.verifierKey(log.tenantId);
    return runVerifier({ 'log.ndjson': forged }, ['log.ndjson', '--key', key]);
  }

  /** The lines with another actor, and with prints and hashes that fit him. */
  function withAnotherActor(lines: readonly string[]): string[] {
    const rows = rowsOf(lines).map((row) => ({ ...row, actor: 'system:eve' }));
    const entry = epochEntry({ tenantId: log.tenantId, epoch: 1, previous: null });
    const entries = [entry, ...rows.map(eventEntry)];
    const [tile] = appendToTiles(
      0,
      [],
      entries.map((each) => leafHash(Buffer.from(each))),
    );
    return lines.map((line) => {
      const value = lineOf(line);
      const row = value.leaf && rows.shift();
      if (value.leaf && row) Object.assign(value.leaf, { row, prints: fieldPrints(row).toString('base64') });
      if (value.tile && tile) value.tile.hashes = tile.hashes.toString('base64');
      return JSON.stringify(value);
    });
  }

  it('holds as long as nothing is changed', async () => {
    expect(await verify((lines) => lines)).toMatchObject({ status: 0, findings: [] });
  });

  it('is found where the checkpoints stand behind the leaves', async () => {
    const verdict = await verify((lines) => [
      ...withAnotherActor(lines).filter((line) => !isOf('checkpoint')(line)),
      ...lines.filter(isOf('checkpoint')),
    ]);
    expect(verdict.status).toBe(1);
    expect(verdict.findings).toContainEqual(expect.objectContaining({ kind: 'file' }));
  });

  it.each(['before', 'behind'])(
    'is found where an event %s all others has no leaf, and a version that a sealed one has',
    async (place) => {
      const verdict = await verify((lines) => {
        const [row] = rowsOf(lines) as [LeafRow];
        const at = place === 'before' ? lines.findIndex(isOf('tile')) : lines.length;
        return lines.toSpliced(at, 0, waiting({ ...row, id: newId(), xid: NEVER }));
      });
      expect(verdict).toMatchObject({ status: 1, findings: [{ kind: 'inserted' }] });
    },
  );

  it('is found where an event is said to wait at the place of a leaf', async () => {
    const verdict = await verify((lines) => {
      const [row] = rowsOf(lines) as [LeafRow];
      return [...lines, waiting({ ...row, id: newId(), stream_id: newId() }, '5')];
    });
    expect(verdict).toMatchObject({ status: 1, findings: [{ kind: 'inserted' }] });
  });

  it('is found where nothing is sealed of what is hours old', async () => {
    const createdAt = new Date(Date.now() + 2 * 3_600_000).toISOString();
    const verdict = await verify(([head = '', ...lines]) => [
      JSON.stringify({ ...(JSON.parse(head) as object), createdAt }),
      ...rowsOf(lines).map((row) => waiting(row)),
    ]);
    expect(verdict).toMatchObject({ status: 1, findings: [{ kind: 'unsealed' }] });
  });

  it('tells of events that are not sealed that nothing vouches for them', async () => {
    const verdict = await verify((lines) => {
      const [row] = rowsOf(lines) as [LeafRow];
      return [...lines, waiting({ ...row, id: newId(), stream_id: newId(), xid: NEVER })];
    });
    expect(verdict).toMatchObject({ status: 0, unsealed: 1 });
    expect(verdict.notes).toEqual(['1 events are not sealed: nothing vouches for them yet']);
  });
});
