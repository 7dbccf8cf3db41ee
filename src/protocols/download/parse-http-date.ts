/** The three forms that RFC 9110 section 5.6.7 has every recipient accept: IMF-fixdate, RFC 850, asctime. */
const patterns = [
  /^[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT$/,
  /^[A-Z][a-z]{5,8}, \d\d-[A-Z][a-z]{2}-\d\d \d\d:\d\d:\d\d GMT$/,
  /^[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4}$/,
]

/** The time of an HTTP date in milliseconds; `undefined` when the text is none. */
export function parseHttpDate(text: string): number | undefined {
  if (!patterns.some((pattern) => pattern.test(text))) return undefined
  // The form of asctime() names no zone, and would be read as local time.
  const time = Date.parse(text.endsWith('GMT') ? text : `${text} GMT`)
  return Number.isNaN(time) ? undefined : time
}
