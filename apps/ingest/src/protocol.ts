import {
  type Body,
  posthogKeyOf,
  readOtlpLogs,
  readPosthog,
  readSegment,
  type Reading,
  type RequestRefused,
  type SegmentCall,
  segmentKeyOf,
} from '@holdfast/ingest';

/** What a refusal says; 500 is a fault of ours. */
export interface Refusal {
  readonly status: RequestRefused['status'] | 500;
  readonly code: string;
  readonly message: string;
}

/** How one kind of SDK speaks: what it sends, and what it has to be answered so that it does what it is to do. */
export interface Protocol {
  readonly name: 'segment' | 'posthog' | 'otlp';
  /** Where the key stands when no header has it. */
  keyIn(body: Body): unknown;
  read(body: Body, receivedAtMs: number): Reading;
  /** What is answered with 200, or undefined where nothing that was sent could be read. */
  taken(reading: Reading): string | undefined;
  refused(refusal: Refusal): string;
}

const SEGMENT_TAKEN = '{"success":true}';
const POSTHOG_TAKEN = '{"status":"Ok"}';
const OTLP_TAKEN = '{"partialSuccess":{}}';
/** Codes of gRPC, which OTLP uses in its body over HTTP as well (google.rpc.Code). */
const GRPC_CODES = { 400: 3, 401: 16, 403: 7, 413: 11, 429: 8, 500: 13 } as const;

const isTaken = ({ events, rejects }: Reading): boolean => events.length > 0 || rejects.length === 0;

/** Segment's HTTP API; RudderStack's SDKs speak it too. Both give up at 4xx but 429, and repeat everything else. */
export function segment(call: SegmentCall | 'batch'): Protocol {
  return {
    name: 'segment',
    keyIn: segmentKeyOf,
    read: (body, receivedAtMs) => readSegment(body, call, receivedAtMs),
    taken: (reading) => (isTaken(reading) ? SEGMENT_TAKEN : undefined),
    refused: ({ code, message }) => JSON.stringify({ success: false, code, message }),
  };
}

/** PostHog's capture API. Its SDKs halve a batch that is answered 413, and repeat at 408, 429 and 5xx. */
export const posthog: Protocol = {
  name: 'posthog',
  keyIn: posthogKeyOf,
  read: readPosthog,
  taken: (reading) => (isTaken(reading) ? POSTHOG_TAKEN : undefined),
  refused: ({ status, code, message }) =>
    JSON.stringify({
      type: status === 401 || status === 403 ? 'authentication_error' : 'validation_error',
      code,
      detail: message,
      attr: null,
    }),
};

/** OTLP over HTTP, in JSON. Exporters repeat at 429, 502, 503 and 504, and tell the rejects of a partial success. */
export const otlp: Protocol = {
  name: 'otlp',
  keyIn: () => undefined,
  read: readOtlpLogs,
  taken: ({ rejects }) =>
    rejects.length === 0
      ? OTLP_TAKEN
      : JSON.stringify({
          partialSuccess: {
            // 64 bits are a string in the JSON of Protocol Buffers.
            rejectedLogRecords: String(rejects.length),
            errorMessage: rejects[0]?.message,
          },
        }),
  refused: ({ status, code, message }) =>
    JSON.stringify({
      code: GRPC_CODES[status],
      message,
      details: [{ '@type': 'type.googleapis.com/google.rpc.ErrorInfo', reason: code, domain: 'holdfast' }],
    }),
};
