import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { digestOf } from './export-manifest';

describe('The digest of an export', () => {
  it('is what sha256sum makes of the files', () => {
    const directory = mkdtempSync(join(tmpdir(), 'holdfast-export-'));
    const contents = { 'a.b.ndjson': '{"a":1}\n', 'events.log.ndjson': '' };
    const files = Object.entries(contents).map(([name, text]) => {
      writeFileSync(join(directory, name), text);
      return { name, sha256: createHash('sha256').update(text).digest('hex') };
    });
    const printed = execFileSync('sh', ['-c', 'sha256sum a.b.ndjson events.log.ndjson | sha256sum'], {
      cwd: directory,
    });
    rmSync(directory, { recursive: true });
    expect(printed.toString().slice(0, 64)).toBe(digestOf(files));
  });
});
