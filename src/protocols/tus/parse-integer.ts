/**
 * Reads the number of a header such as `Upload-Offset`: digits only; leading zeros are accepted.
 * Returns `Infinity` above 2^53 − 1, so that nothing is ever rounded, and `undefined` when the
 * value is not such a number.
 */
export function parseInteger(value: string): number | undefined {
  if (!/^\d+$/.test(value)) return undefined
  const number = Number(value)
  return Number.isSafeInteger(number) ? number : Infinity
}
