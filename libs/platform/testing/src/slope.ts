/** By how much values that were taken at equal intervals grow in one of them: the slope of the line through them (least squares). */
export function slopeOf(values: readonly number[]): number {
  const meanOf = (of: readonly number[]): number => of.reduce((sum, value) => sum + value, 0) / of.length;
  const [meanAt, mean] = [(values.length - 1) / 2, meanOf(values)];
  const together = values.map((value, at) => (at - meanAt) * (value - mean));
  const apart = values.map((_, at) => (at - meanAt) ** 2);
  return meanOf(together) / meanOf(apart);
}
