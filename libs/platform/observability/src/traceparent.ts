import { randomUUID } from 'node:crypto';

/** A position in a trace, as the header `traceparent` of W3C Trace Context (level 1) carries it. */
export interface TraceContext {
  /** 32 hexadecimal digits, not all zero. */
  readonly traceId: string;
  /** 16 hexadecimal digits, not all zero: the span that sent the header. */
  readonly spanId: string;
  /** Whether the sender records the trace. */
  readonly sampled: boolean;
}

/** Version 00 has exactly these four fields; a later version may append more behind another dash. */
const HEADER = /^(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;
const SAMPLED = 1;

/** The trace context that a header spells, or undefined for text that is none: then a trace begins anew. */
export function readTraceparent(header: string): TraceContext | undefined {
  const [, version, traceId, spanId, flags, more] = HEADER.exec(header.trim()) ?? [];
  if (traceId === undefined || spanId === undefined || flags === undefined) return undefined;
  if (version === '00' && more !== undefined) return undefined;
  return { traceId, spanId, sampled: (Number.parseInt(flags, 16) & SAMPLED) === SAMPLED };
}

/** The header of a trace context. */
export function writeTraceparent({ traceId, spanId, sampled }: TraceContext): string {
  return `00-${traceId}-${spanId}-${sampled ? '01' : '00'}`;
}

/**
 * The header under which work goes on: the same trace with a span of our own when the caller sent one, a fresh trace
 * otherwise (or when what it sent is not well-formed, as the specification asks).
 */
export function continueTrace(header: string | undefined): string {
  const parent = header === undefined ? undefined : readTraceparent(header);
  return writeTraceparent({
    traceId: parent?.traceId ?? randomHex(),
    spanId: randomHex().slice(16),
    sampled: parent?.sampled ?? false,
  });
}

/** 32 digits. Node keeps randomness for UUIDs in stock; random bytes would be asked of the kernel for each request. */
function randomHex(): string {
  return randomUUID().replaceAll('-', '');
}
