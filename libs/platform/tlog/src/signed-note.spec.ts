import { cosignatureAt } from '../test/cosignature-at';
import { refused } from '../test/refused';
import { createPublicKey, generateKeyPairSync, randomBytes } from 'node:crypto';
import * as fc from 'fast-check';
import { formatCheckpoint } from './checkpoint';
import { leafHash } from './hashing';
import {
  formatSignerKey,
  formatVerifierKey,
  generateSignerKey,
  parseSignerKey,
  parseVerifierKey,
  signerKey,
  verifierKey,
} from './note-keys';
import { formatNote, formatSignature, parseNote } from './note-text';
import { addSignatures, openNote, signNote, signText } from './signed-note';
import { TlogError } from './tlog.errors';

// The keys and the note that the tests of Go's golang.org/x/mod/sumdb/note have.
const peterText = `PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz`;
const peterKey = 'PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW';
const enochKey = 'EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop';
const proverb =
  'If you think cryptography is the answer to your problem,\n' +
  "then you don't know what your problem is.\n";
const peterSignature =
  '— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n';
const enochSignature =
  '— EnochRoot rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWLox33WWd1RvMc+QQ=\n';

const peter = parseSignerKey(peterText);
const text = 'one\n\ntwo\n';

describe('Keys', () => {
  test('are read and written as Go does', () => {
    expect(formatSignerKey(peter)).toBe(peterText);
    expect(formatVerifierKey(peter)).toBe(peterKey);
    expect(formatVerifierKey(parseVerifierKey(enochKey))).toBe(enochKey);
  });

  test.each([peterKey, peterText])('are refused when a part is cut off or a character differs', (key) => {
    const parse = (changed: string) =>
      key === peterKey ? parseVerifierKey(changed) : parseSignerKey(changed);
    for (let from = 0; from <= key.length; from++) {
      for (let to = from; to <= key.length; to++) {
        if (to - from < key.length)
          expect(() => parse(key.slice(from, to))).toThrow(refused('malformed_key'));
      }
    }
    for (let at = 0; at < key.length; at++) {
      const other = String.fromCharCode(key.charCodeAt(at) + 1);
      expect(() => parse(key.slice(0, at) + other + key.slice(at + 1))).toThrow(refused('malformed_key'));
    }
  });

  test.each([
    'PeterNeumann+cc469956+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWBADKEY==',
    'PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW',
    'PeterNeumann+C74F20A3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW',
    '',
  ])('of another length or type are refused: %s', (key) =>
    expect(() => parseVerifierKey(key)).toThrow(refused('malformed_key')),
  );

  test('of both types survive being written and read', () => {
    for (const type of ['ed25519', 'cosignature/v1'] as const) {
      const key = generateSignerKey('example.com/log', type);
      expect(formatSignerKey(parseSignerKey(formatSignerKey(key)))).toBe(formatSignerKey(key));
      expect(parseVerifierKey(formatVerifierKey(key))).toMatchObject({ type, keyId: key.keyId });
    }
  });

  test('of one pair have another id for another type', () => {
    const { privateKey } = generateKeyPairSync('ed25519');
    expect(signerKey('name', privateKey).keyId).not.toBe(
      signerKey('name', privateKey, 'cosignature/v1').keyId,
    );
  });

  test('have a name without spaces and plus, and are Ed25519', () => {
    const { publicKey } = generateKeyPairSync('ed25519');
    for (const name of ['', 'a b', 'a+b', 'a\u00a0b', 'a\u2028b', 'a\nb', '\ud800', 'a'.repeat(256)]) {
      expect(() => verifierKey(name, publicKey)).toThrow(refused('bad_argument'));
    }
    expect(() => verifierKey('name', generateKeyPairSync('x25519').publicKey)).toThrow(
      refused('bad_argument'),
    );
    expect(() =>
      signerKey('name', createPublicKey(publicKey.export({ type: 'spki', format: 'pem' }))),
    ).toThrow(refused('bad_argument'));
  });
});

describe('A note', () => {
  test('is signed as Go does, byte for byte', () =>
    expect(signNote(proverb, [peter])).toBe(`${proverb}\n${peterSignature}`));

  test('is opened by those who signed it, in their order, and says who else did', () => {
    const note = `${proverb}\n${peterSignature}${enochSignature}`;
    const both = openNote(note, [parseVerifierKey(enochKey), parseVerifierKey(peterKey)]);
    expect(both.text).toBe(proverb);
    expect(both.signatures.map(({ name }) => name)).toEqual(['PeterNeumann', 'EnochRoot']);
    expect(both.unknown).toEqual([]);
    const one = openNote(Buffer.from(note), [parseVerifierKey(enochKey)]);
    expect(one.signatures.map(({ name }) => name)).toEqual(['EnochRoot']);
    expect(one.unknown.map(({ name }) => name)).toEqual(['PeterNeumann']);
  });

  test('is the example of the specification', () => {
    const key = parseVerifierKey('example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k');
    const note =
      'This is an example message.\n\n' +
      '— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n';
    expect(openNote(note, [key]).text).toBe('This is an example message.\n');
  });

  test('that nobody known signed is unsigned, whatever shares a name or an id with a key', () => {
    const note = `${proverb}\n${peterSignature}`;
    expect(() => openNote(note, [])).toThrow(refused('unsigned'));
    const namesake = generateSignerKey('PeterNeumann');
    expect(() => openNote(note, [namesake])).toThrow(refused('unsigned'));
    const sameId = { ...parseVerifierKey(enochKey), keyId: peter.keyId };
    expect(() => openNote(note, [sameId])).toThrow(refused('unsigned'));
  });

  test('with a bad signature of a known key is refused, though another is good', () => {
    const signature = Buffer.from(signText(proverb, peter).signature);
    signature[10] = (signature[10] ?? 0) ^ 1;
    const note = formatNote({
      text: proverb,
      signatures: [{ ...peter, signature }, signText(proverb, peter)],
    });
    expect(() => openNote(note, [peter])).toThrow(refused('bad_signature'));
    const short = formatNote({ text: proverb, signatures: [{ ...peter, signature: signature.subarray(1) }] });
    expect(() => openNote(short, [peter])).toThrow(refused('bad_signature'));
  });

  test('changed in any byte is refused', () => {
    const note = Buffer.from(signNote(proverb, [peter]));
    for (let at = 0; at < note.length; at++) {
      for (const bit of [1, 32, 128]) {
        const changed = Buffer.from(note);
        changed[at] = (changed[at] ?? 0) ^ bit;
        expect(() => openNote(changed, [peter])).toThrow(TlogError);
      }
    }
  });

  test('counts one signature of a key once, and refuses it beside one that is not good', () => {
    expect(openNote(`${proverb}\n${peterSignature.repeat(3)}`, [peter]).signatures).toHaveLength(1);
    const bad = { ...peter, signature: Buffer.alloc(64) };
    const both = formatNote({ text: proverb, signatures: [signText(proverb, peter), bad] });
    expect(() => openNote(both, [peter])).toThrow(refused('bad_signature'));
  });

  test('has its signatures behind the last blank line', () =>
    expect(openNote(signNote(text, [peter]), [peter]).text).toBe(text));

  test.each([
    ['nothing', ''],
    ['no blank line', `text\n${peterSignature}`],
    ['no signature', 'text\n\n'],
    ['no newline at the end', `text\n\n${peterSignature.trimEnd()}`],
    ['a line that is no signature', `text\n\n${peterSignature}more\n`],
    ['a hyphen for the dash', `text\n\n${peterSignature.replace('—', '-')}`],
    ['two spaces', `text\n\n${peterSignature.replace('n x', 'n  x')}`],
    ['a space at the end', `text\n\n${peterSignature.replace('\n', ' \n')}`],
    ['no name', `text\n\n${peterSignature.replace('PeterNeumann', '')}`],
    ['a plus in the name', `text\n\n${peterSignature.replace('PeterN', 'Peter+N')}`],
    ['no bytes behind the id', 'text\n\n— a x08gow==\n'],
    ['base64 without its end', `text\n\n${peterSignature.replace('=', '')}`],
    ['base64 of other alphabet', `text\n\n${peterSignature.replace('/', '_')}`],
    ['base64 with bits to spare', `text\n\n${peterSignature.replace('nAM=', 'nAN=')}`],
    ['a carriage return', `te\rxt\n\n${peterSignature}`],
    ['a tabulator', `te\txt\n\n${peterSignature}`],
    ['a zero', `te\0xt\n\n${peterSignature}`],
    ['half a surrogate pair', `te\ud800xt\n\n${peterSignature}`],
  ])('is malformed with %s', (_, note) => expect(() => parseNote(note)).toThrow(refused('malformed_note')));

  test('is malformed when it is not UTF-8', () =>
    expect(() =>
      parseNote(Buffer.concat([Buffer.of(0xff), Buffer.from(`text\n\n${peterSignature}`)])),
    ).toThrow(refused('malformed_note')));

  test('keeps a byte order mark, which is signed like the rest', () => {
    const note = Buffer.from(signNote('\ufefftext\n', [peter]));
    expect(openNote(note, [peter]).text).toBe('\ufefftext\n');
  });

  test('has at most 100 signatures and 1 MB', () => {
    expect(parseNote(`text\n\n${peterSignature.repeat(100)}`).signatures).toHaveLength(100);
    expect(() => parseNote(`text\n\n${peterSignature.repeat(101)}`)).toThrow(refused('malformed_note'));
    expect(() => parseNote(`${'t'.repeat(1_000_000)}\n\n${peterSignature}`)).toThrow(refused('too_large'));
  });

  test('is put together as it was taken apart, whatever its text', () =>
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (line) => {
        const whole = `${line.replaceAll(/[^\P{Cc}\n]/gu, '')}\n`;
        const note = signNote(whole, [peter]);
        expect(formatNote(parseNote(note))).toBe(note);
        expect(openNote(note, [peter]).text).toBe(whole);
      }),
    ));

  test('does not get a text that does not end in a newline', () =>
    expect(() => signNote('text', [peter])).toThrow(refused('malformed_note')));

  test('is not opened with two keys of the same name and id', () =>
    expect(() => openNote(signNote(text, [peter]), [peter, parseVerifierKey(peterKey)])).toThrow(
      refused('bad_argument'),
    ));
});

describe('A cosignature', () => {
  const witness = generateSignerKey('witness.example/w1', 'cosignature/v1');
  const checkpoint = formatCheckpoint({ origin: 'PeterNeumann', size: 3, root: leafHash('three') });

  test('says when it was made, and stands beside that of the log', () => {
    const note = addSignatures(signNote(checkpoint, [peter]), [
      signText(checkpoint, witness, 1_679_315_147n),
    ]);
    const { signatures } = openNote(note, [peter, witness]);
    expect(signatures.map(({ name, cosignedAt }) => [name, cosignedAt])).toEqual([
      ['PeterNeumann', undefined],
      ['witness.example/w1', 1_679_315_147n],
    ]);
  });

  test('is of the time and of the checkpoint', () => {
    const { signature } = signText(checkpoint, witness);
    for (let at = 0; at < signature.length; at++) {
      const changed = Buffer.from(signature);
      changed[at] = (changed[at] ?? 0) ^ 1;
      const note = formatNote({ text: checkpoint, signatures: [{ ...witness, signature: changed }] });
      expect(() => openNote(note, [witness])).toThrow(refused('bad_signature'));
    }
    const of = (origin: string) => formatCheckpoint({ origin, size: 3, root: leafHash('three') });
    const moved = formatNote({ text: of('other'), signatures: [{ ...witness, signature }] });
    expect(() => openNote(moved, [witness])).toThrow(refused('bad_signature'));
  });

  test('is of a checkpoint, and of nothing else', () => {
    expect(() => signText(text, witness)).toThrow(refused('malformed_checkpoint'));
    const note = formatNote({ text, signatures: [{ ...witness, signature: randomBytes(72) }] });
    expect(() => openNote(note, [witness])).toThrow(refused('malformed_checkpoint'));
  });

  test('has a time between 1 and 2^63 - 1', () => {
    expect(() => signText(checkpoint, witness, 0n)).toThrow(refused('bad_argument'));
    expect(() => signText(checkpoint, witness, 2n ** 63n)).toThrow(refused('bad_argument'));
    const late = cosignatureAt(2n ** 63n, checkpoint, witness);
    expect(() => openNote(formatNote({ text: checkpoint, signatures: [late] }), [witness])).toThrow(
      refused('bad_signature'),
    );
    expect(formatSignature(signText(checkpoint, witness, 2n ** 63n - 1n))).toContain('witness.example/w1');
  });

  test('takes the place of an earlier one', () => {
    const first = addSignatures(signNote(checkpoint, [peter]), [signText(checkpoint, witness, 1n)]);
    const second = addSignatures(first, [signText(checkpoint, witness, 2n)]);
    expect(openNote(second, [peter, witness]).signatures.map(({ cosignedAt }) => cosignedAt)).toEqual([
      undefined,
      2n,
    ]);
  });
});
