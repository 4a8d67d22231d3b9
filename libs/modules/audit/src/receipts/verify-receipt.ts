import type { Caller, CommittedEvent } from '@holdfast/kernel';
import { payloadDigest, type TenantDatabase, type TenantTx } from '@holdfast/tenancy';
import { listPublicKeys } from '../verification/stored-log.sql';
import {
  logNameOf,
  openReceipt,
  ReceiptRefused,
  requireCertified,
  type UnverifiedReceipt,
} from './open-receipt';
import { rootOfLines } from './receipt';
import {
  findReceiptedEvent,
  findReceiptKey,
  findSealedPlace,
  isBeforeStream,
  type LoggedEvent,
} from './receipt-checks.sql';

/** An event that the receipt proves to have been, and that the log does not have, or not as it was. */
export interface ReceiptBreak {
  readonly event: CommittedEvent;
  /** `missing`, or the member of the receipt that differs: `type`, `stream` or `data`. */
  readonly what: 'missing' | 'type' | 'stream' | 'data';
}

/** What came of verifying a receipt. */
export interface ReceiptOutcome {
  readonly receipt: UnverifiedReceipt['claims'];
  readonly checked: number;
  /** Whose word for the log's keys was taken: the verifier's, or that of the database, which its superuser writes. */
  readonly trust: 'given keys' | 'keys of the database';
  /** Events whose rows the retention has removed; the sealed log has their leaves. */
  readonly pruned: number;
  readonly breaks: readonly ReceiptBreak[];
}

/** What a receipt is verified against. */
export interface ReceiptContext {
  readonly tenants: TenantDatabase;
  readonly caller: Caller;
  /** By default the one that the receipt names, which the log's key has to have certified. */
  readonly logName?: string;
  /** Public keys of the log that the verifier trusts; without it those that the database lists. */
  readonly logKeys?: readonly Buffer[];
  /** The events of a receipt that has no more than their number and root; see FORMAT.md. */
  readonly events?: readonly CommittedEvent[];
}

/**
 * Verifies a receipt against the tenant's log as it stands in the database: that a certified key signed it, and that every event
 * that it names is there, unaltered. Throws ReceiptRefused where the receipt is not the installation's; what the log lacks is
 * the outcome.
 */
export async function verifyReceipt(
  unverified: UnverifiedReceipt,
  { tenants, caller, logName = logNameOf(unverified), logKeys, events }: ReceiptContext,
): Promise<ReceiptOutcome> {
  return tenants.reading(caller, async (tx) => {
    const key = await findReceiptKey(tx, unverified.claims.keyId);
    if (!key)
      throw new ReceiptRefused('key_wrong', `No process has registered the key ${unverified.claims.keyId}.`);
    const receipt = openReceipt(unverified, key.entry, logName);
    requireCertified(key.entry, key.certificate, logName, logKeys ?? (await listPublicKeys(tx)));
    const outcomes = [];
    for (const event of eventsOf(receipt, events)) outcomes.push(await lookAt(tx, event));
    const breaks = outcomes.filter((outcome) => typeof outcome === 'object');
    const pruned = outcomes.filter((outcome) => outcome === 'pruned').length;
    const trust = logKeys ? 'given keys' : 'keys of the database';
    return { receipt, checked: outcomes.length, trust, pruned, breaks };
  });
}

/** The events of a receipt; of one that has their root alone those that whoever verifies it brings. Throws ReceiptRefused. */
export function eventsOf(
  receipt: UnverifiedReceipt['claims'],
  brought: readonly CommittedEvent[] | undefined,
): readonly CommittedEvent[] {
  if ('events' in receipt) return receipt.events;
  if (brought?.length === receipt.count && rootOfLines(brought).toString('base64url') === receipt.root)
    return brought;
  throw new ReceiptRefused(
    'events_wrong',
    `The receipt is for ${receipt.count} events and has their root alone: they have to be brought, in their order.`,
  );
}

async function lookAt(tx: TenantTx, event: CommittedEvent): Promise<'there' | 'pruned' | ReceiptBreak> {
  const logged = await findReceiptedEvent(tx, event);
  if (logged) {
    const what = differenceOf(event, logged);
    return what ? { event, what } : 'there';
  }
  return (await isPruned(tx, event)) ? 'pruned' : { event, what: 'missing' };
}

/** An event that is not named by an id, one of many, is known by its stream alone. */
async function isPruned(tx: TenantTx, event: CommittedEvent): Promise<boolean> {
  if (event.id === undefined) return isBeforeStream(tx, event);
  const sealed = await findSealedPlace(tx, event.id);
  return sealed !== undefined && sealed.index < sealed.pruned_to;
}

/** The first member in which the log has another event than the receipt. */
function differenceOf(event: CommittedEvent, logged: LoggedEvent): ReceiptBreak['what'] | undefined {
  const { type, id, version = String(logged.stream_version) } = event.stream;
  if (logged.type !== event.type) return 'type';
  const isSameStream =
    logged.stream_type === type && logged.stream_id === id && String(logged.stream_version) === version;
  if (!isSameStream) return 'stream';
  const digest = event.dataSha256;
  return digest !== undefined && digest !== payloadDigest(logged.data) ? 'data' : undefined;
}
