import type { StoreSlots } from './store-composer.js'

/** What {@link HandlerOptions.disable} can switch off: the tus extensions, downloads, the IETF draft, and `X-HTTP-Method-Override`. */
export type Feature =
  | 'creation'
  | 'creation-with-upload'
  | 'creation-defer-length'
  | 'expiration'
  | 'checksum'
  | 'checksum-trailer'
  | 'termination'
  | 'concatenation'
  | 'concatenation-unfinished'
  | 'download'
  | 'ietf-draft'
  | 'method-override'

/** A feature, the features it is nothing without, and whether the slots and options provide for it. */
type Row = readonly [Feature, requires: readonly Feature[], provided: boolean]

/** All there is to switch off, in the order in which clients are told. */
export const featureNames: readonly Feature[] = rows({}, false).map(([feature]) => feature)

/** What the handler offers: what the slots allow, less what is disabled and what depends on that. */
export function featuresOf(
  slots: Readonly<StoreSlots>,
  expires: boolean,
  disabled: readonly Feature[],
): ReadonlySet<Feature> {
  const features = new Set<Feature>()
  for (const [feature, requires, provided] of rows(slots, expires)) {
    const possible = provided && requires.every((required) => features.has(required))
    if (possible && !disabled.includes(feature)) features.add(feature)
  }
  return features
}

function rows(slots: Readonly<StoreSlots>, expires: boolean): readonly Row[] {
  return [
    ['creation', [], true],
    ['creation-with-upload', ['creation'], true],
    ['creation-defer-length', ['creation'], true],
    ['expiration', [], expires],
    ['checksum', [], slots.verifiedAppender !== undefined],
    ['checksum-trailer', ['checksum'], true],
    ['termination', [], slots.terminator !== undefined],
    ['concatenation', ['creation'], slots.concatenator !== undefined],
    ['concatenation-unfinished', ['concatenation'], true],
    ['download', [], slots.contentReader !== undefined],
    ['ietf-draft', [], true],
    ['method-override', [], true],
  ]
}
