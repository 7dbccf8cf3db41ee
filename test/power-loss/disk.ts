import { dirname } from 'node:path'
import type { Change } from './disk-events.js'

/** The state after a power cut: the content of each file by its path, `undefined` for folders. */
export type Remains = ReadonlyMap<string, string | undefined>

interface Node {
  /** Absent for a folder. */
  readonly content?: Versions<string>
}

/** The state on the disk, followed by the later states that may have reached it. */
class Versions<T> {
  readonly all: T[]

  constructor(onDisk: T, ...later: T[]) {
    this.all = [onDisk, ...later]
  }

  get last(): T {
    return this.all.at(-1)!
  }
}

/**
 * A disk that keeps everything that was synced, and an arbitrary part of the rest. Content counts
 * after a sync of its file, a name after a sync of its directory. Unsynced changes may be kept in
 * any order, except that of one file or one name a later state includes the earlier ones.
 */
export class Disk {
  /** The node behind each path, or `undefined`. */
  readonly #names = new Map<string, Versions<Node | undefined>>()
  /** The syncs in progress, with functions that apply them. */
  readonly #syncs = new Map<Change, () => void>()

  /** Applies a change. For a sync, call `beginSync` first. */
  apply(change: Change): void {
    switch (change.kind) {
      case 'create':
        return this.#name(change.path, { content: new Versions('') })
      case 'mkdir':
        return this.#name(change.path, {})
      case 'remove':
        return this.#name(change.path, undefined)
      case 'rename':
        this.#name(change.path, this.#node(change.from))
        return this.#name(change.from, undefined)
      case 'clone':
        return void this.#content(change.path).all.push(this.#content(change.from).last)
      case 'truncate': {
        const content = this.#content(change.path)
        return void content.all.push(content.last.slice(0, change.size).padEnd(change.size, '\0'))
      }
      case 'write': {
        const content = this.#content(change.path)
        const { text, at = content.last.length } = change
        const before = content.last.slice(0, at).padEnd(at, '\0')
        return void content.all.push(before + text + content.last.slice(at + text.length))
      }
      case 'sync':
        this.#syncs.get(change)!()
        this.#syncs.delete(change)
    }
  }

  /** Begins a sync, which covers the changes made before it. */
  beginSync(change: Change & { kind: 'sync' }): void {
    const content = this.#names.get(change.path)?.last?.content
    const covered: Versions<unknown>[] = content ? [content] : this.#namesIn(change.path)
    const counts = covered.map(({ all }) => all.length)
    this.#syncs.set(change, () => {
      covered.forEach(({ all }, i) => all.splice(0, counts[i]! - 1))
    })
  }

  /**
   * Returns the states that a power cut may leave now: the synced part alone, everything, and each
   * single file or name in each of its states, while nothing or everything of all others is kept.
   */
  remains(): Remains[] {
    const contents = [...this.#names.values()].flatMap(({ all }) =>
      all.flatMap((node) => node?.content ?? []),
    )
    const uncertain = new Set<Versions<unknown>>(
      [...this.#names.values(), ...contents].filter(({ all }) => all.length > 1),
    )
    const extremes = [0, Infinity]
    const choices = extremes.flatMap((others) => [
      this.#choose(() => others),
      ...[...uncertain].flatMap((single) =>
        single.all.map((_, i) => this.#choose((versions) => (versions === single ? i : others))),
      ),
    ])
    return [...new Map(choices.map((remains) => [JSON.stringify([...remains]), remains])).values()]
  }

  #choose(index: (versions: Versions<unknown>) => number): Remains {
    const pick = <T>(versions: Versions<T>) =>
      versions.all[Math.min(index(versions), versions.all.length - 1)]
    const remains = new Map<string, string | undefined>()
    // Folders come before their contents.
    for (const path of [...this.#names.keys()].sort()) {
      const node = pick(this.#names.get(path)!)
      const folder = folderOf(path)
      if (node === undefined || (folder !== '' && !remains.has(folder))) continue
      remains.set(path, node.content && pick(node.content))
    }
    return remains
  }

  #name(path: string, node: Node | undefined): void {
    const versions = this.#names.get(path)
    if (versions === undefined) this.#names.set(path, new Versions(undefined, node))
    else versions.all.push(node)
  }

  #node(path: string): Node {
    const node = this.#names.get(path)?.last
    if (node === undefined) throw new Error(`The log does not say where ${path} came from`)
    return node
  }

  #content(path: string): Versions<string> {
    const { content } = this.#node(path)
    if (content === undefined) throw new Error(`${path} is a folder`)
    return content
  }

  #namesIn(folder: string): Versions<unknown>[] {
    return [...this.#names].flatMap(([path, versions]) =>
      folderOf(path) === folder ? [versions] : [],
    )
  }
}

function folderOf(path: string): string {
  const folder = dirname(path)
  return folder === '.' ? '' : folder
}
