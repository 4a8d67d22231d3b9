import { createPublicKey, randomUUID, verify } from 'node:crypto';
import { Webhook } from 'standardwebhooks';
import { generateSigningSecret, signatureOf } from './signing-secret';

const SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');

describe('A signing secret', () => {
  const timestamp = String(Math.floor(Date.now() / 1_000));
  const content = { id: randomUUID(), timestamp, body: Buffer.from('{"some":"täxt"}') };

  it('of HMAC is what the library of Standard Webhooks verifies by', () => {
    const secret = generateSigningSecret('hmac-sha256');
    expect(secret.shown).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
    expect(secret.publicKey).toBeNull();
    const headers = {
      'webhook-id': content.id,
      'webhook-timestamp': timestamp,
      'webhook-signature': signatureOf(secret, content),
    };
    const webhook = new Webhook(secret.shown ?? '');
    expect(webhook.verify(content.body, headers)).toEqual({ some: 'täxt' });
    expect(() => webhook.verify('{"some":"text"}', headers)).toThrow('No matching signature');
    expect(headers['webhook-signature']).toBe(
      webhook.sign(content.id, new Date(Number(timestamp) * 1_000), content.body),
    );
  });

  it('of Ed25519 shows its public half alone, which verifies', () => {
    const secret = generateSigningSecret('ed25519');
    expect(secret.shown).toBeNull();
    const raw = Buffer.from((secret.publicKey ?? '').replace(/^whpk_/, ''), 'base64');
    expect(raw).toHaveLength(32);
    const [version, signature = ''] = signatureOf(secret, content).split(',');
    expect(version).toBe('v1a');
    const key = createPublicKey({ key: Buffer.concat([SPKI_PREFIX, raw]), format: 'der', type: 'spki' });
    const signed = Buffer.concat([Buffer.from(`${content.id}.${timestamp}.`), content.body]);
    expect(verify(null, signed, key, Buffer.from(signature, 'base64'))).toBe(true);
    expect(
      verify(null, Buffer.concat([signed, Buffer.from(' ')]), key, Buffer.from(signature, 'base64')),
    ).toBe(false);
  });
});
