import { dirname } from 'node:path'
import type { Change } from './disk-events.js'

/** What is found after a power cut: the content of each file by its path, `undefined` for folders. */
export type Remains = ReadonlyMap<string, string | undefined>

interface Node {
  /** Absent for a folder. */
  readonly content?: Versions<string>
}

/** What the disk has, followed by what has changed since and may have reached it. */
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
 * A disk that keeps what was synced, and of everything else what it likes: what is in a file counts after a sync of the
 * file, a name after a sync of its directory, in whichever order they were made. Only of one file, or of one name, a
 * later state is never kept without the earlier ones having been there.
 */
export class Disk {
  /** By path: what it names, `undefined` when nothing. */
  readonly #names = new Map<string, Versions<Node | undefined>>()
  /** Syncs that have begun: what they are going to cover. */
  readonly #syncs = new Map<Change, () => void>()

  /** Does what a change does. Of a sync, the beginning has been told before. */
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

  /** A sync covers what was there when it began. */
  beginSync(change: Change & { kind: 'sync' }): void {
    const content = this.#names.get(change.path)?.last?.content
    const covered: Versions<unknown>[] = content ? [content] : this.#namesIn(change.path)
    const counts = covered.map(({ all }) => all.length)
    this.#syncs.set(change, () => {
      covered.forEach(({ all }, i) => all.splice(0, counts[i]! - 1))
    })
  }

  /**
   * What a power cut may leave now: nothing that was not synced, everything, and each single thing in each of its states
   * while of all others nothing or everything is kept.
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
    // Folders come before what is in them.
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
