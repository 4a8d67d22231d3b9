import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { StreamableFile } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';

const compress = promisify(gzip);

/** A tile of an epoch never changes: a partial one is named by its width. */
const FOR_EVER = 'private, max-age=31536000, immutable';
/** Another may follow within a second, and one that is some seconds old is as good. */
const FOR_SECONDS = 'private, max-age=2';
/** Entries are events: whoever keeps them asks each time whether he may still have them. */
const NEVER_UNASKED = 'private, no-cache';
/** What one credential is answered is not another's: each may be of another tenant, which a token's bearer chooses. */
const VARY = 'authorization, holdfast-tenant';

/** Answers a tile of an epoch. The headers are set once there is an answer: no refusal is kept. */
export function sendForEver(reply: FastifyReply, hashes: Buffer): StreamableFile {
  return sendBytes(reply, FOR_EVER, hashes);
}

/** Answers a tile of whatever epoch is the current one: the next has other tiles of the same names. */
export function sendForSeconds(reply: FastifyReply, hashes: Buffer): StreamableFile {
  return sendBytes(reply, FOR_SECONDS, hashes);
}

/** Answers entries, compressed where the client takes that: they are text, to a tenth of their size. */
export async function sendEntries(
  request: FastifyRequest,
  reply: FastifyReply,
  entries: Buffer,
): Promise<StreamableFile> {
  const isPacked = takesGzip(request.headers['accept-encoding']);
  if (isPacked) reply.header('content-encoding', 'gzip');
  const answer = sendBytes(reply, NEVER_UNASKED, isPacked ? await compress(entries) : entries);
  reply.header('vary', `${VARY}, accept-encoding`);
  return answer;
}

/** Answers a text of the log that is soon followed by another. */
export function sendText(reply: FastifyReply, text: string): string {
  varyByAccept(reply).header('cache-control', FOR_SECONDS).type('text/plain; charset=utf-8');
  return text;
}

/** Says that the answer is this credential's and this `Accept`'s. */
export function varyByAccept(reply: FastifyReply): FastifyReply {
  return reply.header('vary', `${VARY}, accept`);
}

function sendBytes(reply: FastifyReply, kept: string, bytes: Buffer): StreamableFile {
  reply.header('vary', VARY).header('cache-control', kept);
  return new StreamableFile(bytes, { type: 'application/octet-stream', length: bytes.length });
}

/** Whether the client asks for JSON where text is the usual answer. */
export function asksForJson({ headers }: FastifyRequest): boolean {
  const accept = headers.accept ?? '';
  return /\bapplication\/json\b/i.test(accept) && !/\btext\/plain\b/i.test(accept);
}

/** Whether the client asks for text where JSON is the usual answer. */
export function asksForText({ headers }: FastifyRequest): boolean {
  const accept = headers.accept ?? '';
  return /\btext\/plain\b/i.test(accept) && !/\bapplication\/json\b/i.test(accept);
}

function takesGzip(accepted: string | string[] | undefined): boolean {
  return /(?:^|,)\s*(?:gzip|\*)\s*(?:$|,|;(?!\s*q=0(?:\.0*)?\s*(?:$|,)))/i.test(String(accepted ?? ''));
}
