/**
 * Returns the last segment of a path, without misleading characters: control characters, and those
 * that reverse the direction of text.
 */
export function baseName(path = ''): string {
  // Half of a surrogate pair cannot be encoded.
  const names = path
    .replace(/[\p{Cc}\p{Cs}\u2028-\u202e\u2066-\u2069]/gu, '')
    .split(/[/\\]/)
    .map((segment) => segment.trim())
  const name = names.findLast((candidate) => candidate !== '') ?? ''
  // Long enough for every file system, short enough for every proxy's header buffer.
  return /^\.+$/.test(name) ? '' : shortened(name, 255)
}

/**
 * Returns the name, cut before its extension so that the sizes of its characters add up to at most
 * `limit`.
 */
export function shortened(
  name: string,
  limit: number,
  sizeOf: (character: string) => number = () => 1,
): string {
  const dot = name.lastIndexOf('.')
  // A longer one is hardly an extension.
  const extension = dot > 0 && name.length - dot <= 16 ? name.slice(dot) : ''
  let left = limit
  for (const character of extension) left -= sizeOf(character)
  let stem = ''
  for (const character of name.slice(0, name.length - extension.length)) {
    left -= sizeOf(character)
    if (left < 0) break
    stem += character
  }
  return stem + extension
}
