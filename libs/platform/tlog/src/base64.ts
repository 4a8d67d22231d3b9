/**
 * The bytes of standard base64 (RFC 4648 section 4); undefined if the text is anything else than what encoding those
 * bytes gives. Looser readers let one signature or hash be spelled in several ways, so that a changed file still verifies.
 */
export function parseBase64(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64');
  return bytes.toString('base64') === text ? bytes : undefined;
}
