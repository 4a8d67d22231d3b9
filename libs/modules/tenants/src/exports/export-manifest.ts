import { createHash } from 'node:crypto';
import type { ExportFileView } from './export-view';

/** The digest of a whole export, as anybody can make it of the digests of its files: `sha256sum FILES | sha256sum`. */
export function digestOf(files: readonly Pick<ExportFileView, 'name' | 'sha256'>[]): string {
  const lines = files.map(({ name, sha256 }) => `${sha256}  ${name}\n`);
  return createHash('sha256').update(lines.join('')).digest('hex');
}
