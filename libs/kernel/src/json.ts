/** JSON with every bigint as a decimal string, which is how amounts and versions stand on the wire. */
export function encodeJson(value: unknown): string {
  return JSON.stringify(value, (_key, field: unknown) =>
    typeof field === 'bigint' ? field.toString() : field,
  );
}
