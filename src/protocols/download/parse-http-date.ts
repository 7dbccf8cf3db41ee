/** The formats that RFC 9110 section 5.6.7 requires: IMF-fixdate, RFC 850 and asctime. */
const patterns = [
  /^[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT$/,
  /^[A-Z][a-z]{5,8}, \d\d-[A-Z][a-z]{2}-\d\d \d\d:\d\d:\d\d GMT$/,
  /^[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4}$/,
]

/** Returns the time of an HTTP date in milliseconds; `undefined` when the text is not a date. */
export function parseHttpDate(text: string): number | undefined {
  if (!patterns.some((pattern) => pattern.test(text))) return undefined
  // The asctime format has no zone, so it would be read as local time.
  const time = Date.parse(text.endsWith('GMT') ? text : `${text} GMT`)
  return Number.isNaN(time) ? undefined : time
}
