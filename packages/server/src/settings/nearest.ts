import { closest, distance } from 'fastest-levenshtein'

/**
 * Returns a question that names the known name which a wrong one comes closest to, unless none is
 * near.
 */
export function didYouMean(wrong: string, known: readonly string[]): string {
  const near = closest(wrong, known)
  return near !== undefined && distance(wrong, near) <= Math.ceil(wrong.length / 2)
    ? ` Did you mean ${near}?`
    : ''
}
