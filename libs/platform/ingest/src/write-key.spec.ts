import { newId } from '@holdfast/kernel';
import { newSigner } from '../test/new-signer';
import { fingerprintOf, WriteKeyVerifier } from './write-key';

describe('A write key', () => {
  const signer = newSigner();
  const verifier = new WriteKeyVerifier([signer.publicKey]);
  const holder = { keyId: newId(), tenantId: newId() };

  it('says whose it is, to whoever has the public key', () => {
    const text = signer.write(holder);
    expect(text).toMatch(/^hfw_[\w-]{130}$/);
    expect([verifier.holderOf(text), verifier.holderOf(text)]).toEqual([holder, holder]);
    expect(signer.write(holder)).toBe(text);
  });

  it('is refused with any character changed, cut or added', () => {
    const text = signer.write(holder);
    const changed = text
      .split('')
      .flatMap((character, place) =>
        ['A', 'B', '-', '='].map((other) =>
          other === character ? text.slice(0, place) : text.slice(0, place) + other + text.slice(place + 1),
        ),
      );
    expect(
      [...changed, `${text}A`, ` ${text}`, `${text}\n`].filter((each) => verifier.holderOf(each)),
    ).toEqual([]);
  });

  it('is refused when another key has signed it, until that one is known as well', () => {
    const other = newSigner();
    const text = other.write(holder);
    expect(verifier.holderOf(text)).toBeUndefined();
    expect(new WriteKeyVerifier([signer.publicKey, other.publicKey]).holderOf(text)).toEqual(holder);
  });

  it('is not taken for another text that its signer signs', () => {
    const text = Buffer.from('a list');
    const signature = signer.sign(Buffer.from('holdfast list\n'), text);
    expect(verifier.isSigned(Buffer.from('holdfast list\n'), text, signature)).toBe(true);
    expect(verifier.isSigned(Buffer.from('holdfast write key\n'), text, signature)).toBe(false);
  });

  it('and its tenant have fingerprints that tell ids apart', () => {
    const prints = new Set(Array.from({ length: 100 }, () => fingerprintOf(newId())));
    expect(prints.size).toBe(100);
  });
});
