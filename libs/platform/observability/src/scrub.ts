/**
 * Credentials by the shape of their text: API keys and write keys, JWTs, bearer tokens, signed grants (64 digits of MAC in base64,
 * 4 of key id, a tenant, 16 of expiry), and passwords in connection strings.
 */
const CREDENTIALS: readonly (readonly [RegExp, string])[] = [
  [/\bhf_(live|test)_[0-9A-Za-z]{8,}/g, 'hf_$1_[secret]'],
  [/\bhfo_[0-9A-Za-z_-]{8,}/g, 'hfo_[secret]'],
  [/\bhfi_[0-9A-Za-z_]{8,}/g, 'hfi_[secret]'],
  [/\bhfw_[0-9A-Za-z_.-]{8,}/g, 'hfw_[secret]'],
  [/\beyJ[\w-]{6,}\.[\w-]+\.[\w-]*/g, '[secret]'],
  [/\b(bearer|basic) +[0-9A-Za-z._~+/=-]{8,}/gi, '$1 [secret]'],
  [/[0-9A-Za-z+/]{64}(?=\d{4}[0-9a-f]{8}-[0-9a-f]{4}-)/g, '[secret]'],
  [/(\/\/[^\s:/@"'\\]*:)[^\s@/"'\\]+@/g, '$1[secret]@'],
];

/** The text without the credentials that it spells. */
export function scrub(text: string): string {
  return CREDENTIALS.reduce(
    (scrubbed, [pattern, replacement]) => scrubbed.replace(pattern, replacement),
    text,
  );
}
