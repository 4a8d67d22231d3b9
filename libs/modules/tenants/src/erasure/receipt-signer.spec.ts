import { generateKeyPairSync } from 'node:crypto';
import { compactVerify, createLocalJWKSet } from 'jose';
import { type Receipt, ReceiptSigner } from './receipt-signer';

const receipt: Receipt = {
  tenantId: '0199a1b2-0000-7000-8000-000000000000',
  requestedAt: '2026-11-20T10:00:00.000Z',
  erasedAt: '2026-12-20T10:00:00.000Z',
  tables: { 'events.log': 2 },
  events: 2,
  stores: { clickhouse: '2' },
  check: { tables: 14, rowsLeft: 0 },
};

describe('A receipt', () => {
  const { privateKey } = generateKeyPairSync('ed25519');
  const forms = {
    pem: privateKey.export({ format: 'pem', type: 'pkcs8' }).toString(),
    base64: privateKey.export({ format: 'der', type: 'pkcs8' }).toString('base64'),
  };

  it.each(Object.entries(forms))(
    'is verified by the public key alone, from a key in %s',
    async (_form, key) => {
      const signer = await ReceiptSigner.from(key);
      expect(Object.keys(signer.verifiedBy)).not.toContain('d');
      const keys = createLocalJWKSet({ keys: [signer.verifiedBy] });
      const { payload } = await compactVerify(await signer.sign(receipt), keys);
      expect(JSON.parse(Buffer.from(payload).toString())).toEqual(receipt);
    },
  );

  it('is refused when a digit of it is another, or another key has signed it', async () => {
    const [signer, other] = await Promise.all(
      [
        forms.pem,
        generateKeyPairSync('ed25519').privateKey.export({ format: 'pem', type: 'pkcs8' }).toString(),
      ].map((key) => ReceiptSigner.from(key)),
    );
    const signed = await signer!.sign(receipt);
    const [head, , signature] = signed.split('.');
    const forged = Buffer.from(JSON.stringify({ ...receipt, events: 3 })).toString('base64url');
    const keys = createLocalJWKSet({ keys: [signer!.verifiedBy] });
    await expect(compactVerify(`${head}.${forged}.${signature}`, keys)).rejects.toThrow(
      /verification failed/,
    );
    await expect(compactVerify(await other!.sign(receipt), keys)).rejects.toThrow(/no applicable key/);
  });
});
