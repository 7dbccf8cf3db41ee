/** The last segment of a path, without what could mislead: control characters, and such as turn text around. */
export function baseName(path = ''): string {
  // Half of a surrogate pair could not be encoded.
  const names = path
    .replace(/[\p{Cc}\p{Cs}\u2028-\u202e\u2066-\u2069]/gu, '')
    .split(/[/\\]/)
    .map((segment) => segment.trim())
  const name = names.findLast((candidate) => candidate !== '') ?? ''
  // Long enough for every file system, short enough for every proxy's header buffer.
  return /^\.+$/.test(name) ? '' : [...name].slice(0, 255).join('')
}
