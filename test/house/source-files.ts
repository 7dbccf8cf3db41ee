import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The root of the repository. */
export const root = fileURLToPath(new URL('../../', import.meta.url))

/** Returns the text of a file of the repository. */
export function read(path: string): string {
  return readFileSync(join(root, path), 'utf8')
}

/** Returns the paths of all code files below directories, relative to the root, with slashes. */
export function codeFiles(...directories: readonly string[]): string[] {
  return directories.flatMap((directory) =>
    readdirSync(join(root, directory), { withFileTypes: true })
      .filter(({ name }) => !name.startsWith('.') && name !== 'node_modules' && name !== 'dist')
      .flatMap((entry) => {
        const path = `${directory}/${entry.name}`
        if (entry.isDirectory()) return codeFiles(path)
        return /\.([cm]?[jt]s|tsx)$/.test(entry.name) ? [path] : []
      }),
  )
}

/** Returns the folders of the packages, such as `packages/amqp-hooks`. */
export function packageFolders(): string[] {
  if (!existsSync(join(root, 'packages'))) return []
  const folders = readdirSync(join(root, 'packages')).map((name) => `packages/${name}`)
  return folders.filter((folder) => existsSync(join(root, folder, 'README.md')))
}
