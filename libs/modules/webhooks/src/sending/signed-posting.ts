import { type CloudEvent, cloudEventOf, type RecordedEvent, upcast } from '@holdfast/events';
import type { Posting } from '@holdfast/outgoing';
import { continueTrace } from '@holdfast/observability';
import type { SigningSecret } from '../secrets/signing-secret';
import { signatureOf } from '../secrets/signing-secret';

/** What is signed by, newest first. */
export type Signer = Pick<SigningSecret, 'scheme' | 'bytes'>;

/** A delivery as it is sent: its id, the address, and the event or the body of a test. */
export interface Sendable {
  readonly id: string;
  readonly url: string;
  readonly event: RecordedEvent | null;
  readonly testBody: unknown;
}

/** The header that is in no log: who reads it could not forge anything, and has no use for it either. */
export const SIGNATURE_HEADER = 'webhook-signature';

/**
 * A delivery in the form of Standard Webhooks 1.0.0: `webhook-id` is the same at every attempt, `webhook-timestamp` is this
 * attempt's, and `webhook-signature` has one signature of each secret that signs. The body is the event as CloudEvents 1.0
 * in structured mode.
 */
export function signedPosting({ id, url, event, testBody }: Sendable, signers: readonly Signer[]): Posting {
  const body = Buffer.from(JSON.stringify(bodyOf(event, testBody)));
  const timestamp = String(Math.floor(Date.now() / 1_000));
  const signatures = signers.map((signer) => signatureOf(signer, { id, timestamp, body }));
  return {
    url,
    body,
    headers: {
      'content-type': 'application/cloudevents+json; charset=utf-8',
      'user-agent': 'Holdfast-Webhooks/1.0',
      'webhook-id': id,
      'webhook-timestamp': timestamp,
      [SIGNATURE_HEADER]: signatures.join(' '),
      traceparent: continueTrace(event?.traceparent ?? undefined),
    },
  };
}

/** What is posted: the event in the latest version of its type, or a test's own body. Throws where it cannot be read. */
export function bodyOf(event: RecordedEvent | null, testBody: unknown): CloudEvent {
  if (event) return cloudEventOf(upcast(event));
  if (!testBody) throw new Error('the event is not in the log');
  return testBody as CloudEvent;
}
