import {
  canonicalJson,
  leafHash,
  openCheckpoint,
  parseCheckpoint,
  parseNote,
  parseProofFile,
  type ProofFile,
  TlogError,
  verifyInclusion,
  verifyProofFile,
} from '@holdfast/tlog';
import { namedKey } from '../sealing/log-keys';
import { type Receipt, receipt } from './receipt';
import { isValidAt, jsonOf, readReceiptKeyEntry, receiptVerifierKey } from './receipt-key';

/** Why something is no receipt of this installation. */
export type ReceiptFault =
  | 'malformed'
  | 'key_malformed'
  | 'key_wrong'
  | 'key_not_valid'
  | 'key_not_certified'
  | 'not_signed'
  | 'events_wrong';

/** The text is no receipt, or not one that the installation has to stand by. */
export class ReceiptRefused extends Error {
  override readonly name = 'ReceiptRefused';

  constructor(
    readonly fault: ReceiptFault,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** A receipt as it came: what it says, which nothing has verified, and what is to prove it. */
export interface UnverifiedReceipt {
  readonly claims: Receipt;
  readonly file: ProofFile;
  readonly entry: string;
}

/**
 * Reads receipts: values of headers, each one in base64 or several with commas between, or the text of a proof file.
 * Throws ReceiptRefused.
 */
export function readReceipts(text: string): UnverifiedReceipt[] {
  const trimmed = text.trim();
  const files = trimmed.startsWith('c2sp.org/')
    ? [`${trimmed}\n`]
    : trimmed.split(/[\s,]+/).map((value) => Buffer.from(value, 'base64').toString());
  return files.map(readOne);
}

function readOne(text: string): UnverifiedReceipt {
  const malformed = (cause?: unknown): ReceiptRefused =>
    new ReceiptRefused('malformed', 'This is no receipt.', { cause });
  let file: ProofFile;
  try {
    file = parseProofFile(text);
  } catch (error) {
    throw malformed(error);
  }
  const entry = file.extra?.toString() ?? '';
  const { data } = receipt.safeParse(jsonOf(entry));
  if (!data || canonicalJson(data) !== entry) throw malformed();
  return { claims: data, file, entry };
}

/** The log that the receipt says it is of. A name alone is nobody's word: only the log's key can have certified under it. */
export function logNameOf({ file }: UnverifiedReceipt): string {
  const { origin } = parseCheckpoint(parseNote(file.checkpoint).text);
  return origin.slice(0, Math.max(0, origin.lastIndexOf('/receipts/')));
}

/**
 * What a receipt says, once the key of its entry is found to have signed it in the time in which it may. Whether the key is
 * the installation's is what `requireCertified` tells. Throws ReceiptRefused.
 */
export function openReceipt(
  { claims, file, entry }: UnverifiedReceipt,
  keyEntry: string,
  logName: string,
): Receipt {
  const key = readReceiptKeyEntry(keyEntry);
  if (!key) throw new ReceiptRefused('key_malformed', 'The entry of the receipt key is none.');
  if (key.id !== claims.keyId) throw new ReceiptRefused('key_wrong', `The key is not ${claims.keyId}.`);
  if (!isValidAt(key, claims.at))
    throw new ReceiptRefused('key_not_valid', `The key was not valid at ${claims.at}.`);
  const verifier = receiptVerifierKey(logName, key);
  try {
    const { size, root } = openCheckpoint(file.checkpoint, { origin: verifier.name, logKeys: [verifier] });
    verifyInclusion({ leafHash: leafHash(entry), index: file.index, size, root, proof: file.proof });
  } catch (error) {
    if (!(error instanceof TlogError)) throw error;
    throw new ReceiptRefused('not_signed', 'The receipt key did not sign this receipt.', { cause: error });
  }
  return claims;
}

/** The tenant of the installation's own log, which has the keys of its processes. */
const NIL_TENANT = '00000000-0000-0000-0000-000000000000';

/**
 * Throws ReceiptRefused unless the certificate proves that the key's entry is in the installation's own log, whatever the
 * epoch. `logKeys` are the public keys of the log that are to be trusted, 32 bytes each.
 */
export function requireCertified(
  keyEntry: string,
  certificate: string | null,
  logName: string,
  logKeys: readonly Buffer[],
): void {
  const refused = (cause?: unknown): ReceiptRefused =>
    new ReceiptRefused('key_not_certified', 'The log does not prove the key that signed the receipt.', {
      cause,
    });
  if (certificate === null) throw refused();
  try {
    const { origin } = parseCheckpoint(parseNote(parseProofFile(certificate).checkpoint).text);
    const own = `${logName}/${NIL_TENANT}/`;
    if (!origin.startsWith(own) || !/^\d+$/.test(origin.slice(own.length))) throw refused();
    const policy = { origin, logKeys: logKeys.map((raw) => namedKey(origin, raw)) };
    verifyProofFile(certificate, { entry: keyEntry }, policy);
  } catch (error) {
    throw error instanceof TlogError ? refused(error) : error;
  }
}
