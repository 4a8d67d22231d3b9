const FIELD = 'data=';

/**
 * What the field `data` of a form holds: JSON, in base64, as posthog-js sends it from a page that is left, where nothing may ask for a
 * preflight. Known by its first bytes, with which no JSON begins; any other body is answered as it is. Decoded it is never longer. Other
 * fields are not looked at: strangers send them, and a body has room for a quarter of a million.
 */
export function jsonOfForm(bytes: Buffer): Buffer {
  if (bytes.toString('latin1', 0, FIELD.length) !== FIELD) return bytes;
  const end = bytes.indexOf('&', FIELD.length);
  const data = unescaped(bytes.toString('latin1', FIELD.length, end < 0 ? bytes.length : end));
  if (data === undefined) return bytes;
  if (data.startsWith('{') || data.startsWith('[')) return Buffer.from(data);
  // A plus that was not escaped is a space in a form.
  return Buffer.from(data.replaceAll(' ', '+'), 'base64');
}

function unescaped(text: string): string | undefined {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    return undefined; // No form after all, and no JSON either.
  }
}
