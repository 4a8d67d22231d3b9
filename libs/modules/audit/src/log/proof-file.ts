import { formatProofFile } from '@holdfast/tlog';
import type { EventProof } from './event-proof';

/** The proof as a file, whose `extra` is the entry: nothing else is needed but the key of the log. */
export function proofFile({ index, proof, checkpoint, entry }: EventProof): string {
  return formatProofFile({ index, proof, checkpoint, extra: Buffer.from(entry) });
}
