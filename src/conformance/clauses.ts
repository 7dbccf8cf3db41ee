/** The pages of the contract, and the headings that cases refer to. */
const pages = {
  'writing-a-store.md': [
    'bytes-are-the-truth',
    'missing-or-unreachable',
    'several-uploads-at-once',
    'progress',
    'the-end-of-a-body',
    'an-aborted-signal',
    'what-stays-open',
    'the-fence',
    'record-before-data',
    'places',
    'creating',
    'verified-chunks',
    'finishing',
    'concatenating',
    'terminating',
    'reading',
    'lengths-and-sizes',
    'memory',
    'opening-and-closing',
    'the-contract',
    'creating-and-updating-records',
    'getting-records',
    'deleting-records',
    'listing-records',
    'records-that-cannot-be-read',
  ],
  'locks.md': ['writing-a-locker'],
} as const

/** A section of the contract, by the anchor of its heading. */
export type Clause = (typeof pages)[keyof typeof pages][number]

/** Returns where to read about a clause: a file of the package, and a heading in it. */
export function linkTo(clause: Clause): string {
  const page = (pages['locks.md'] as readonly Clause[]).includes(clause)
    ? 'locks.md'
    : 'writing-a-store.md'
  return `tuskit/docs/${page}#${clause}`
}
