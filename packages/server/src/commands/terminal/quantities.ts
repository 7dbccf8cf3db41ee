import ms from 'ms'

const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB']

/** Returns a size as people read it, such as `1.5 GB`, in the decimal units of the settings. */
export function sizeText(bytes: number): string {
  const power = Math.min(units.length - 1, Math.floor(Math.log10(Math.max(bytes, 1)) / 3))
  const number = bytes / 1000 ** power
  // Rounded down, so that something incomplete never looks complete.
  const digits = power === 0 ? String(bytes) : (Math.floor(number * 10) / 10).toFixed(1)
  return `${digits} ${units[power]}`
}

/** Returns a time as the settings have it, such as `30s` or `7d`. */
export function timeText(milliseconds: number): string {
  return ms(Math.round(milliseconds))
}

/** Returns how long ago something was, in whole seconds, minutes, hours or days. */
export function ageText(milliseconds: number): string {
  const seconds = Math.max(0, Math.floor(milliseconds / 1_000))
  return seconds === 0 ? '0s' : ms(seconds * 1_000)
}

/** Returns a number with separators, such as `10,000`. */
export function countText(count: number): string {
  return count.toLocaleString('en')
}

/** Returns a number and a noun, such as `1 upload` or `2 uploads`. */
export function counted(count: number, noun: string): string {
  return `${countText(count)} ${noun}${count === 1 ? '' : 's'}`
}
