import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { TenantQuery } from '@holdfast/cqrs';
import { type IQueryHandler, QueryHandler } from '@nestjs/cqrs';

/** Where the single-file verifier stands, in the source and in a build. */
export const VERIFIER_PATH = join(__dirname, '../../verifier/holdfast-verify.mjs');

/** The program that verifies bundles and proofs, the same for everybody. */
export class VerifierFile extends TenantQuery<Record<string, never>, Buffer> {
  readonly scope = 'audit:read';
}

@QueryHandler(VerifierFile)
export class VerifierFileHandler implements IQueryHandler<VerifierFile> {
  private read: Promise<Buffer> | undefined;

  execute(): Promise<Buffer> {
    this.read ??= readFile(VERIFIER_PATH);
    return this.read;
  }
}
