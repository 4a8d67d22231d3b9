import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import { calculateJwkThumbprint, CompactSign, type JWK } from 'jose';

/** What a receipt says. */
export interface Receipt {
  readonly tenantId: string;
  readonly requestedAt: string;
  readonly erasedAt: string;
  /** Rows that were deleted, by table of PostgreSQL. */
  readonly tables: Readonly<Record<string, number>>;
  readonly events: number;
  /** Rows that were deleted, by store outside PostgreSQL. */
  readonly stores: Readonly<Record<string, string>>;
  /** What was not deleted and until when it is kept, by store that cannot delete. Absent: there is none. */
  readonly kept?: Readonly<Record<string, string>>;
  /** What was looked through at the end, and what was found. */
  readonly check: { readonly tables: number; readonly rowsLeft: 0 };
}

/** Signs receipts by Ed25519 (RFC 8037). */
export class ReceiptSigner {
  private constructor(
    private readonly key: KeyObject,
    /** The public half, with its thumbprint (RFC 7638) as `kid`. */
    readonly verifiedBy: JWK,
  ) {}

  /** From a private key as PKCS #8, in PEM or in base64. */
  static async from(privateKey: string): Promise<ReceiptSigner> {
    const key = privateKey.includes('BEGIN')
      ? createPrivateKey(privateKey)
      : createPrivateKey({ key: Buffer.from(privateKey, 'base64'), format: 'der', type: 'pkcs8' });
    const jwk = createPublicKey(key).export({ format: 'jwk' }) as JWK;
    const kid = await calculateJwkThumbprint(jwk);
    return new ReceiptSigner(key, { ...jwk, kid, alg: 'EdDSA', use: 'sig' });
  }

  /** The receipt as a JWS in compact form (RFC 7515). */
  sign(receipt: Receipt): Promise<string> {
    const { kid = '' } = this.verifiedBy;
    return new CompactSign(Buffer.from(JSON.stringify(receipt)))
      .setProtectedHeader({ alg: 'EdDSA', kid, typ: 'erasure-receipt+jws' })
      .sign(this.key);
  }
}
