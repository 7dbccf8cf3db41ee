import type { DataStore, InfoStore } from 'tuskit'
import type { Settings } from '../settings/settings.js'
import type { Owners } from './owners.js'

/** Where the uploads are adopted. */
export interface NewHome {
  readonly settings: Settings
  /** Contains all data that can be adopted. */
  readonly dataStore: DataStore
  readonly infoStore: InfoStore
  readonly owners: Owners
  /** The places that old records name, if they are not named after their upload. */
  readonly named: Set<string>
  /** Whether nothing is changed. */
  readonly isTrial: boolean
  /** Whether the old records of adopted uploads are removed. */
  readonly removesRecords: boolean
  readonly signal: AbortSignal
}
