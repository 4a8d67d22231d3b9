import { appendFile, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Signed, SignerMemory, SignerMemoryDamaged } from './signer-memory';

describe('The memory of the signer', () => {
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'holdfast-memory-'));
  });
  afterEach(() => rm(directory, { recursive: true }));

  const signed = (tenantId: string, size: number, epoch = 1): Signed => ({
    tenantId,
    epoch,
    lineage: '1/then',
    size,
    root: `root of ${size}`,
    note: `note of ${size}`,
  });
  const fileOf = async (): Promise<string> => {
    const [name = ''] = await readdir(directory);
    return join(directory, name);
  };

  it('has what the holder before has signed, and leaves one file', async () => {
    const first = await SignerMemory.open(directory, 'a');
    await first.append([signed('one', 3), signed('two', 5)]);
    await first.append([signed('one', 7), signed('one', 2, 2)]);
    const second = await SignerMemory.open(directory, 'b');
    expect(second.last({ tenantId: 'one', epoch: 1 })).toEqual(signed('one', 7));
    expect(second.newest('one')).toEqual(signed('one', 2, 2));
    expect(second.newest('two')).toEqual(signed('two', 5));
    expect(second.newest('three')).toBeUndefined();
    expect(await readdir(directory)).toEqual(['b.signed']);
    // What a holder adds that has slept goes to nobody, and harms nobody.
    await first.append([signed('one', 8)]);
    const third = await SignerMemory.open(directory, 'c');
    expect(third.last({ tenantId: 'one', epoch: 1 })?.size).toBe(7);
    await Promise.all([first.close(), second.close(), third.close()]);
  });

  it('leaves a torn last line out, at whatever byte it ends', async () => {
    const first = await SignerMemory.open(directory, 'a');
    await first.append([signed('one', 3)]);
    const whole = await readFile(await fileOf());
    await first.append([signed('one', 4), signed('two', 4)]);
    await first.close();
    const both = await readFile(await fileOf());
    for (let end = whole.length; end < both.length; end += 1) {
      await writeFile(await fileOf(), both.subarray(0, end));
      const memory = await SignerMemory.open(directory, 'a');
      // The last byte is the newline, without which the line is whole as well.
      expect(memory.newest('one')?.size).toBe(end === both.length - 1 ? 4 : 3);
      await memory.close();
    }
  });

  it('refuses to be read where another line is damaged', async () => {
    const first = await SignerMemory.open(directory, 'a');
    await first.append([signed('one', 3)]);
    await first.append([signed('one', 4)]);
    await first.close();
    const content = await readFile(await fileOf(), 'utf8');
    await writeFile(await fileOf(), content.replace('note of 3', 'note of 9'));
    await expect(SignerMemory.open(directory, 'b')).rejects.toThrow(SignerMemoryDamaged);
  });

  it('is closed after a failure, so that nothing is signed that is not on disk', async () => {
    const memory = await SignerMemory.open(directory, 'a');
    await memory.close();
    await expect(memory.append([signed('one', 3)])).rejects.toThrow('closed');
    await appendFile(await fileOf(), '');
    expect(memory.newest('one')).toBeUndefined();
  });
});
