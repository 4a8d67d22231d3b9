import type { HeardDrill } from '@holdfast/resilience';
import { z } from 'zod';
import type { WriteKeySigner, WriteKeyVerifier } from './write-key';

/**
 * What ingest has to know of write keys beyond their signatures, and of drills. Keys and tenants stand in it as their fingerprints, so that everybody
 * may read it: it says how many there are, and of whom only to those who know the id.
 */
export interface KeyListContents {
  /** When the database was read, by its clock, in milliseconds of the epoch: of two lists the later one holds. */
  readonly asOfMs: number;
  /** Keys that are revoked. */
  readonly revoked: readonly string[];
  /** Tenants that are not active: suspended, closing, or erased. */
  readonly suspended: readonly string[];
  /** Those of them whose erasure has begun, which nobody can take back. */
  readonly erased: readonly string[];
  /** Tenants that are on another plan than the standard one, by its name. */
  readonly plans: Readonly<Record<string, readonly string[]>>;
  /** What is done to dependencies on purpose, of ingest as of all processes. */
  readonly drills: readonly ListedDrill[];
}

/** A drill, with its end by the database's clock, in milliseconds of the epoch. */
export type ListedDrill = Omit<HeardDrill, 'leftMs'> & { readonly endsAtMs: number };

/** A list as it travels, and as it lies on disk: the text as it was signed, and the signature in base64. */
export interface SignedKeyList {
  readonly list: string;
  readonly signature: string;
}

/** Signed in front of the text, so that nothing else that this key signs can be taken for a list. */
const CONTEXT = Buffer.from('holdfast key list\n');
const VERSION = 1;

const signedSchema = z.object({ list: z.string(), signature: z.string() });
const fingerprints = z.array(z.string().length(22));
const drillSchema = z.object({
  policy: z.string(),
  does: z.enum(['open', 'fail', 'slow']),
  delayMs: z.int().positive(),
  endsAtMs: z.int().positive(),
});
const listSchema = z.object({
  version: z.literal(VERSION),
  asOfMs: z.int().nonnegative(),
  revoked: fingerprints,
  suspended: fingerprints,
  // An API of the release before says nothing of these.
  erased: fingerprints.default([]),
  plans: z.record(z.string(), fingerprints),
  // Nor of these; and what an API of the next release may say of drills is no reason to take a revoked key.
  drills: z.array(drillSchema).catch([]),
});

/** Writes and signs a list. */
export function signKeyList(signer: WriteKeySigner, contents: KeyListContents): SignedKeyList {
  const list = JSON.stringify({ version: VERSION, ...contents });
  return { list, signature: signer.sign(CONTEXT, Buffer.from(list)).toString('base64') };
}

/** What the text says, or undefined where it is no list that one of the verifier's keys has signed. */
export function readKeyList(verifier: WriteKeyVerifier, text: string): KeyListContents | undefined {
  const signed = signedSchema.safeParse(parsed(text)).data;
  if (!signed) return undefined;
  const { list, signature } = signed;
  if (!verifier.isSigned(CONTEXT, Buffer.from(list), Buffer.from(signature, 'base64'))) return undefined;
  return listSchema.safeParse(parsed(list)).data;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
