import { DomainError, type ErrorKind, type InputFault } from '@holdfast/kernel';
import { HttpException } from '@nestjs/common';
import { STATUS_CODES } from 'node:http';

/** RFC 9457, with a stable `code`, the request's id and, for faults of the input, where they are. */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly instance: string;
  readonly code: string;
  readonly requestId: string;
  readonly errors?: readonly InputFault[];
}

const STATUS: Readonly<Record<ErrorKind, number>> = {
  malformed: 400,
  unauthenticated: 401,
  forbidden: 403,
  not_found: 404,
  conflict: 409,
  gone: 410,
  precondition_failed: 412,
  precondition_required: 428,
  too_large: 413,
  unsupported: 415,
  refused: 422,
  too_many: 429,
  unavailable: 503,
};

/** Errors of Fastify's own, by its codes: what it refuses before any handler sees the request. */
const TRANSPORT: Readonly<
  Record<string, { readonly kind: ErrorKind; readonly code: string; readonly detail: string }>
> = {
  FST_ERR_CTP_BODY_TOO_LARGE: {
    kind: 'too_large',
    code: 'request.too_large',
    detail: 'The body is larger than this route takes.',
  },
  FST_ERR_CTP_INVALID_MEDIA_TYPE: {
    kind: 'unsupported',
    code: 'request.unsupported_media_type',
    detail: 'Send the body as application/json.',
  },
  FST_ERR_CTP_EMPTY_JSON_BODY: { kind: 'malformed', code: 'request.malformed', detail: 'The body is empty.' },
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: {
    kind: 'malformed',
    code: 'request.malformed',
    detail: 'The body is not as long as its Content-Length says.',
  },
  FST_ERR_BAD_URL: { kind: 'malformed', code: 'request.malformed', detail: 'The URL is not well formed.' },
};

/** What a library refuses with a status of its own, before or beside our code: its text may quote the request. */
const BY_STATUS: Readonly<Record<number, Refusal>> = {
  400: { status: 400, code: 'request.malformed', detail: 'The request is not well formed.' },
  404: { status: 404, code: 'route.not_found', detail: 'There is no such route.' },
  405: { status: 405, code: 'request.method_not_allowed', detail: 'This route does not take this method.' },
  406: {
    status: 406,
    code: 'request.not_acceptable',
    detail: 'This route does not answer in this media type.',
  },
  408: { status: 408, code: 'request.timeout', detail: 'The request took too long to arrive.' },
  413: { status: 413, code: 'request.too_large', detail: 'The body is larger than this route takes.' },
  414: { status: 414, code: 'request.url_too_long', detail: 'The URL is longer than this server takes.' },
  415: { status: 415, code: 'request.unsupported_media_type', detail: 'Send the body as application/json.' },
  431: {
    status: 431,
    code: 'request.headers_too_large',
    detail: 'The headers are larger than this server takes.',
  },
};

/** What is said of an error that nobody foresaw: nothing. The log has it under the request's id. */
const UNFORESEEN = {
  status: 500,
  code: 'server.failed',
  detail: 'Something went wrong on our side. It has been logged.',
};

/** The part of a problem that follows from the error alone. */
export interface Refusal {
  readonly status: number;
  readonly code: string;
  readonly detail: string;
  readonly errors?: readonly InputFault[];
  readonly retryAfterSeconds?: number | undefined;
}

/** What a caller is told about an error. Texts of a database or a library never pass. */
export function refusalOf(error: unknown): Refusal {
  if (error instanceof DomainError) {
    const { code, message: detail, errors, retryAfterSeconds } = error;
    return {
      status: STATUS[error.kind],
      code,
      detail,
      retryAfterSeconds,
      ...(errors.length > 0 && { errors }),
    };
  }
  const transport = TRANSPORT[codeOf(error)];
  if (transport) return { status: STATUS[transport.kind], code: transport.code, detail: transport.detail };
  return BY_STATUS[statusOf(error)] ?? UNFORESEEN;
}

/** The document that goes out with the refusal. */
export function problemOf(
  { status, code, detail, errors }: Refusal,
  request: { readonly url: string; readonly id: string },
): Problem {
  const title = STATUS_CODES[status] ?? 'Error';
  const instance = request.url.split('?')[0] ?? '/';
  const type = `https://holdfast.dev/problems/${code}`;
  return { type, title, status, detail, instance, code, requestId: request.id, ...(errors && { errors }) };
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
}

function statusOf(error: unknown): number {
  if (!(error instanceof Error)) return 500;
  if (error instanceof HttpException) return error.getStatus();
  return 'statusCode' in error && typeof error.statusCode === 'number' ? error.statusCode : 500;
}
