import { generateKeyPairSync } from 'node:crypto';
import { WriteKeySigner } from '../src/write-key';

/** A signer with a key of its own. */
export function newSigner(): WriteKeySigner {
  const { privateKey } = generateKeyPairSync('ed25519');
  return new WriteKeySigner(privateKey.export({ format: 'der', type: 'pkcs8' }).toString('base64'));
}
