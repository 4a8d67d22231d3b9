import type { Database } from '@holdfast/database';
import { isValidAt, makeReceiptKey, rawPublicKey, readReceiptKeyEntry, type ReceiptKey } from './receipt-key';
import { registerReceiptKey } from './receipt-keys.sql';

/** A key signs for a day, and is good for an hour longer: for the next one's registration to fail for as long. */
const SIGNING_MS = 86_400_000;
const LIFETIME_MS = SIGNING_MS + 3_600_000;
/** How long after a registration that failed the next is tried. */
const RETRY_MS = 5_000;

/** What the keeper of a key is started with. */
export interface ReceiptKeysOptions {
  /** The one pool that may register keys: text injected into business SQL cannot. */
  readonly auth: Database;
  readonly logName: string;
  readonly onFailure: (error: unknown) => void;
}

/**
 * Keeps the process's key for receipts: made in memory, never stored, registered with the database for the sealer to certify,
 * and replaced every 24 hours. While no registered key is to be had, there is none.
 */
export class ReceiptKeys {
  private key: ReceiptKey | undefined;
  private goodUntilMs = 0;
  private timer: NodeJS.Timeout | undefined;
  private closed = false;

  constructor(private readonly options: ReceiptKeysOptions) {}

  /** The key to sign with. */
  get current(): ReceiptKey | undefined {
    return Date.now() < this.goodUntilMs ? this.key : undefined;
  }

  /** Registers the first key, or goes on trying to behind the caller's back; never throws. */
  async start(): Promise<void> {
    const isNew = await this.renew();
    if (this.closed) return;
    const next = (): void => void this.start();
    this.timer = setTimeout(next, isNew ? SIGNING_MS : RETRY_MS).unref();
  }

  close(): void {
    this.closed = true;
    clearTimeout(this.timer);
  }

  private async renew(): Promise<boolean> {
    const { auth, logName, onFailure } = this.options;
    const key = makeReceiptKey(logName);
    const askedAtMs = Date.now();
    try {
      const entry = await registerReceiptKey(auth, rawPublicKey(key.signer), LIFETIME_MS / 1_000);
      requireOwnTime(entry);
    } catch (error) {
      onFailure(error);
      return false;
    }
    this.key = key;
    this.goodUntilMs = askedAtMs + LIFETIME_MS;
    return true;
  }
}

/** What this process signs has its own time: nobody would take it from a clock that is minutes off the database's. */
function requireOwnTime(entry: string): void {
  const key = readReceiptKeyEntry(entry);
  if (!key) throw new Error('the database has registered another receipt key');
  if (!isValidAt(key, new Date().toISOString()))
    throw new Error(`the clock of this process is off the database's: a key is valid from ${key.validFrom}`);
}
