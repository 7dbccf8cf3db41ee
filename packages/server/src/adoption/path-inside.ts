import { relative, sep } from 'node:path'

/** Returns the path of a file relative to a folder, with slashes, if it is inside. */
export function pathInside(folder: string, path: string): string | undefined {
  const inside = relative(folder, path).split(sep).join('/')
  return inside === '..' || inside.startsWith('../') ? undefined : inside
}
