import type { StoreSlots } from './store-composer.js'

/**
 * A feature that {@link HandlerOptions.disable} can disable: a tus extension, downloads, the IETF
 * draft, or `X-HTTP-Method-Override`.
 */
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

/** A feature, the features that it requires, and whether the slots and options provide it. */
type Row = readonly [Feature, requires: readonly Feature[], provided: boolean]

/** All features, in the order of `Tus-Extension`. */
export const featureNames: readonly Feature[] = rows({}, false).map(([feature]) => feature)

/**
 * Returns the features that the handler offers: those that the slots provide, without disabled ones
 * and those that depend on them.
 */
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
