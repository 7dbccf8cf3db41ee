/**
 * The number of a header such as `Upload-Offset`: digits only, from 0 to 2^53 − 1; leading zeros are accepted.
 * `undefined` when the value is anything else, so that nothing is ever rounded.
 */
export function parseInteger(value: string): number | undefined {
  if (!/^\d+$/.test(value)) return undefined
  const number = Number(value)
  return Number.isSafeInteger(number) ? number : undefined
}
