/** A mistake in the configuration. Its message says which setting is wrong, and what to do. */
export class SettingError extends Error {
  override readonly name = 'SettingError'
}
