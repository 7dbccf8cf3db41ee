/** Yields the items of several ascending lists in ascending order. */
export async function* merged(
  lists: readonly AsyncGenerator<string>[],
): AsyncGenerator<string, void, undefined> {
  const heads: IteratorResult<string, unknown>[] = []
  for (const list of lists) heads.push(await list.next())
  for (;;) {
    let first: number | undefined
    for (const [index, { done, value }] of heads.entries()) {
      if (!done && (first === undefined || value < heads[first]!.value!)) first = index
    }
    if (first === undefined) return
    yield heads[first]!.value as string
    heads[first] = await lists[first]!.next()
  }
}
