import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import {
  formatCheckpoint,
  type SignerKey,
  signerKey,
  signNote,
  type VerifierKey,
  verifierKey,
} from '@holdfast/tlog';
import type { TreeKey } from './trees.sql';

/** An Ed25519 public key is the last 32 bytes of its SubjectPublicKeyInfo. */
export const PUBLIC_KEY_BYTES = 32;

/** The origin of a tree's checkpoints, which is the name of the key that signs them as well. */
export const originOf = (logName: string, { tenantId, epoch }: TreeKey): string =>
  `${logName}/${tenantId}/${epoch}`;

/** The verifier key of a tree for a public key of `audit.log_keys`. */
export const treeVerifierKey = (logName: string, tree: TreeKey, publicKey: Uint8Array): VerifierKey =>
  namedKey(originOf(logName, tree), publicKey);

/** The verifier key of a name for the 32 bytes of a public key. */
export function namedKey(name: string, publicKey: Uint8Array): VerifierKey {
  const x = Buffer.from(publicKey).toString('base64url');
  return verifierKey(name, createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' }));
}

/** The keys of the log, the current one first. All sign, so that a reader who knows one of them can verify. */
export class LogKeys {
  private readonly keys: readonly KeyObject[];
  readonly publicKeys: readonly Buffer[];

  /** From Ed25519 private keys, PKCS #8 in PEM or base64. */
  constructor(
    readonly logName: string,
    privateKeys: readonly string[],
  ) {
    this.keys = privateKeys.map((text) =>
      text.includes('BEGIN')
        ? createPrivateKey(text)
        : createPrivateKey({ key: Buffer.from(text, 'base64'), format: 'der', type: 'pkcs8' }),
    );
    this.publicKeys = this.keys.map((key) =>
      createPublicKey(key).export({ type: 'spki', format: 'der' }).subarray(-PUBLIC_KEY_BYTES),
    );
  }

  /** The signed checkpoint of a tree. */
  sign(tree: TreeKey & { readonly size: number; readonly root: Buffer }): string {
    const origin = originOf(this.logName, tree);
    const signers = this.keys.map((key): SignerKey => signerKey(origin, key));
    return signNote(formatCheckpoint({ origin, size: tree.size, root: tree.root }), signers);
  }

  /** The verifier keys of a tree's checkpoints. */
  verifierKeys(tree: TreeKey): VerifierKey[] {
    return this.publicKeys.map((publicKey) => treeVerifierKey(this.logName, tree, publicKey));
  }
}
