import { z } from 'zod';
import { receiptKeyId } from './receipt-key';

/** The key of a process, on the wire. */
export const receiptKeyView = z.object({
  id: receiptKeyId,
  entry: z.string().meta({
    description:
      'Canonical JSON: the public key and the time in which it signs. It is a leaf of the installation’s own log.',
  }),
  certificate: z.string().nullable().meta({
    description:
      'The proof of that, c2sp.org/tlog-proof@v1, with the entry as its extra data; null for the seconds until the log has it.',
  }),
});

/** The key of a process, on the wire. */
export type ReceiptKeyView = z.output<typeof receiptKeyView>;
