import {
  type Attributes,
  context,
  isSpanContextValid,
  type Link,
  propagation,
  SpanKind,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api';
import { continueTrace, readTraceparent, writeTraceparent } from './traceparent';

const tracer = trace.getTracer('holdfast');
/** Of one span; a page of deliveries may hold hundreds of events. */
const LINKS_MAX = 100;
const SAMPLED = 1;

/** Where a span belongs. */
export interface SpanPlace {
  /** What it is part of; without it, the active span. */
  readonly traceparent?: string | undefined;
  /** Other work that it carries on: the further events of a delivery. */
  readonly linked?: readonly string[];
}

/** A span that begins and ends in different functions. */
export interface OpenSpan {
  /** The header under which the work within goes on. Never empty: without an SDK it is that of `continueTrace`. */
  readonly traceparent: string;
  readonly end: (attributes: Attributes) => void;
}

/**
 * Runs work inside a span of OpenTelemetry. Without an SDK in the process this costs under a microsecond and records
 * nothing.
 */
export async function inSpan<T>(
  name: string,
  attributes: Attributes,
  work: () => Promise<T>,
  { traceparent, linked = [] }: SpanPlace = {},
): Promise<T> {
  const links = linked.slice(0, LINKS_MAX).flatMap(linkTo);
  return tracer.startActiveSpan(name, { attributes, links }, parentOf(traceparent), async (span) => {
    try {
      return await work();
    } catch (error) {
      span.setStatus({ code: SpanStatusCode.ERROR });
      span.setAttribute('error.type', error instanceof Error ? error.name : 'unknown');
      throw error;
    } finally {
      span.end();
    }
  });
}

/** The same for a step that says nothing by itself: no span where none is active, as in loops that mostly find nothing. */
export function inStepSpan<T>(name: string, attributes: Attributes, work: () => Promise<T>): Promise<T> {
  return trace.getActiveSpan() ? inSpan(name, attributes, work) : work();
}

/** Begins the span of a request that came with `traceparent`, or without one. */
export function openServerSpan(
  name: string,
  attributes: Attributes,
  traceparent: string | undefined,
): OpenSpan {
  const span = tracer.startSpan(name, { kind: SpanKind.SERVER, attributes }, parentOf(traceparent));
  const { traceId, spanId, traceFlags } = span.spanContext();
  const isOurs = isSpanContextValid(span.spanContext()) && span.isRecording();
  return {
    traceparent: isOurs
      ? writeTraceparent({ traceId, spanId, sampled: (traceFlags & SAMPLED) === SAMPLED })
      : continueTrace(traceparent),
    end: (added) => {
      span.setAttributes(added);
      span.end();
    },
  };
}

/** Records what is over already and turned out to be worth a span. */
export function recordSpan(name: string, attributes: Attributes, tookMs: number): void {
  const endTime = Date.now();
  tracer.startSpan(name, { attributes, startTime: endTime - tookMs }).end(endTime);
}

function parentOf(traceparent: string | undefined): ReturnType<typeof context.active> {
  return traceparent === undefined
    ? context.active()
    : propagation.extract(context.active(), { traceparent });
}

function linkTo(traceparent: string): Link[] {
  const position = readTraceparent(traceparent);
  if (!position) return [];
  const { traceId, spanId, sampled } = position;
  return [{ context: { traceId, spanId, traceFlags: sampled ? SAMPLED : 0, isRemote: true } }];
}
