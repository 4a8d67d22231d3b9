import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { StreamableFile } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';

const compress = promisify(gzip);

/** What a path of tiles names never changes: partial ones are named by their width. */
const FOR_EVER = 'private, max-age=31536000, immutable';
/** A checkpoint may be followed by another within a second, and one that is some seconds old is as good. */
const FOR_SECONDS = 'private, max-age=2';

/** Answers bytes of the log that never change. The headers are set once there is an answer: no refusal is kept. */
export function sendForEver(reply: FastifyReply, bytes: Buffer): StreamableFile {
  reply.header('cache-control', FOR_EVER);
  return new StreamableFile(bytes, { type: 'application/octet-stream', length: bytes.length });
}

/** The same, compressed where the client takes that: entries are text, to a tenth of their size. */
export async function sendCompressed(
  request: FastifyRequest,
  reply: FastifyReply,
  bytes: Buffer,
): Promise<StreamableFile> {
  reply.header('vary', 'accept-encoding');
  if (!takesGzip(request.headers['accept-encoding'])) return sendForEver(reply, bytes);
  reply.header('content-encoding', 'gzip');
  return sendForEver(reply, await compress(bytes));
}

/** Answers a text of the log that is soon followed by another. */
export function sendText(reply: FastifyReply, text: string): string {
  reply.header('cache-control', FOR_SECONDS).type('text/plain; charset=utf-8');
  return text;
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
