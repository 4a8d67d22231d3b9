import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Caller } from '@holdfast/kernel';
import type { TenantDatabase } from '@holdfast/tenancy';
import { beginBundle, type BundleOptions, continueBundle } from '../src/verification/bundle';

/** The file that outsiders get. */
export const VERIFIER = resolve(__dirname, '../verifier/holdfast-verify.mjs');

/** A finding of the single-file verifier. */
export interface BundleFinding {
  readonly kind: string;
  readonly epoch?: number;
  readonly index?: number;
  readonly eventId?: string;
  readonly fields?: readonly string[];
  readonly line?: number;
  readonly message: string;
}

/** What it prints with `--json`, and how it ended. */
export interface Verdict {
  readonly status: number | null;
  readonly stderr: string;
  readonly intact: boolean;
  readonly findings: readonly BundleFinding[];
  readonly findingCount: number;
  readonly redactions: readonly { readonly eventId: string; readonly path: string }[];
  readonly pruned: readonly { readonly epoch: number; readonly from: number; readonly to: number }[];
  readonly notes: readonly string[];
  readonly events: number;
  readonly unsealed: number;
}

/** Writes a bundle of the caller's log, a page and a transaction at a time. */
export async function writeBundle(
  tenants: TenantDatabase,
  caller: Caller,
  options: BundleOptions,
): Promise<Buffer> {
  const parts: Buffer[] = [];
  let page = await tenants.reading(caller, (tx) => beginBundle(tx, options));
  for (;;) {
    parts.push(page.bytes);
    const { progress } = page;
    if (!progress) return Buffer.concat(parts);
    // What is kept between two steps is JSON.
    const kept = JSON.parse(JSON.stringify(progress)) as typeof progress;
    page = await tenants.reading(caller, (tx) => continueBundle(tx, kept, options));
  }
}

/** Runs the single-file verifier as an outsider would: a process, files and arguments. */
export function runVerifier(
  files: Readonly<Record<string, Buffer | string>>,
  args: readonly string[],
): Verdict {
  const directory = mkdtempSync(join(tmpdir(), 'holdfast-verify-'));
  try {
    for (const [name, content] of Object.entries(files)) writeFileSync(join(directory, name), content);
    const run = spawnSync(process.execPath, [VERIFIER, ...args, '--json'], {
      cwd: directory,
      encoding: 'utf8',
      maxBuffer: 64 * 1_048_576,
    });
    const outcome = run.stdout ? (JSON.parse(run.stdout) as Verdict) : ({} as Verdict);
    return { ...outcome, status: run.status, stderr: run.stderr };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
