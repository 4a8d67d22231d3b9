import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { senderNameOf } from './sender-name';

describe('The name of a sender', () => {
  let directory: string;
  beforeEach(() => void (directory = mkdtempSync(join(tmpdir(), 'sender-'))));
  afterEach(() => rmSync(directory, { recursive: true }));

  it('is the same after a restart, and another one for each directory of a host', () => {
    const [one, other] = [join(directory, 'one'), join(directory, 'other')];
    const name = senderNameOf('holdfast', one);
    expect(name).toMatch(/^holdfast\.ingest\.[0-9a-f-]{36}$/);
    expect(senderNameOf('holdfast', one)).toBe(name);
    expect(senderNameOf('holdfast', other)).not.toBe(name);
    expect(readdirSync(one)).toEqual(['ingest-id']);
  });

  it('is made anew where the file has nothing in it', () => {
    writeFileSync(join(directory, 'ingest-id'), '');
    const name = senderNameOf('holdfast', directory);
    expect(name).toMatch(/[0-9a-f-]{36}$/);
    expect(senderNameOf('holdfast', directory)).toBe(name);
  });
});
