import { closest } from 'fastest-levenshtein'

/** Returns a question that names the known name which a wrong one comes closest to. */
export function didYouMean(wrong: string, known: readonly string[]): string {
  return known.length === 0 ? '' : ` Did you mean ${closest(wrong, known)}?`
}
