import type { Upload } from '../../../upload.js'
import type { ProtocolContext } from '../../context.js'
import { completenessHeader, type Dialect } from '../dialect.js'
import { limitOf } from './upload-limit.js'

/** Returns the headers that describe the state of an upload (IETF draft, State). */
export function uploadHeaders(
  { engine }: ProtocolContext,
  dialect: Dialect,
  upload: Upload,
  offset: number,
): Readonly<Record<string, string>> {
  return {
    ...completenessHeader(dialect, upload.state.kind === 'finished'),
    'upload-offset': String(offset),
    ...limitOf(engine.settings, dialect, upload),
  }
}
