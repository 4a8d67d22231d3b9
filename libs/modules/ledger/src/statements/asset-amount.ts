/** Between groups of three digits: narrow, and no line breaks there. */
const GROUP = '\u202f';

/** The scale of an asset: 2 for `EUR/2`. */
function scaleOf(asset: string): number {
  return Number(asset.split('/')[1]);
}

/** The code of an asset: `EUR` for `EUR/2`. */
export function codeOf(asset: string): string {
  return asset.split('/')[0] ?? '';
}

/** Minor units as a decimal number of the asset, without floats: `-1234` of `EUR/2` is `-12.34`. */
export function decimalOf(asset: string, minorUnits: string): string {
  const scale = scaleOf(asset);
  const sign = minorUnits.startsWith('-') ? '-' : '';
  const digits = minorUnits.slice(sign.length).padStart(scale + 1, '0');
  const whole = digits.slice(0, digits.length - scale);
  return `${sign}${whole}${scale > 0 ? '.' : ''}${digits.slice(digits.length - scale)}`;
}

/** The same for people: in groups of three digits, with a minus sign. */
export function readableOf(asset: string, minorUnits: string): string {
  const [whole = '', fraction] = decimalOf(asset, minorUnits).split('.');
  const grouped = whole.replace('-', '\u2212').replaceAll(/\B(?=(?:\d{3})+$)/g, GROUP);
  return fraction === undefined ? grouped : `${grouped}.${fraction}`;
}
