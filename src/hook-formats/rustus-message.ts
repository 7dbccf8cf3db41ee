import type { HookCall } from '../hook-backend.js'
import type { HookRequest } from '../hook-request.js'
import { tusdUpload, type StorageDescription } from './tusd-message.js'

/** Returns a message as Rustus sends it in its forms `default` and `v2`. */
export function rustusMessage(
  call: HookCall,
  storage: StorageDescription,
  nameOfUri: 'URI' | 'uri',
): object {
  const { upload, offset, request } = call
  const { ID, IsFinal, IsPartial, PartialUploads, SizeIsDeferred } = tusdUpload(call)
  return {
    upload: {
      id: ID,
      offset,
      length: upload?.length ?? null,
      path: storage?.Path ?? null,
      created_at: upload ? Math.floor(Date.parse(upload.createdAt) / 1000) : null,
      deferred_size: SizeIsDeferred,
      is_partial: IsPartial,
      is_final: IsFinal,
      parts: PartialUploads,
      storage: storage?.Type ?? null,
      metadata: upload?.metadata.values ?? {},
    },
    request: {
      [nameOfUri]: request?.target ?? '',
      method: request?.method ?? '',
      remote_addr: request?.remoteAddress ?? null,
      headers: lastValues(request),
    },
  }
}

/** Returns a message as Rustus sends it in its form `tusd`. */
export function rustusTusdMessage(call: HookCall, storage: StorageDescription): object {
  const { upload, request } = call
  return {
    Upload: {
      ...tusdUpload(call),
      Size: upload?.length ?? null,
      Storage: { Type: storage?.Type ?? null, Path: storage?.Path ?? null },
    },
    HTTPRequest: {
      Method: request?.method ?? '',
      URI: request?.target ?? '',
      RemoteAddr: request?.remoteAddress ?? null,
      Header: Object.fromEntries(
        Object.entries(lastValues(request)).map(([name, value]) => [name, [value]]),
      ),
    },
  }
}

/** Rustus sends one value of each header: the last. */
function lastValues(request: HookRequest | undefined): Record<string, string> {
  const headers = Object.entries(request?.headers ?? {})
  return Object.fromEntries(headers.map(([name, values]) => [name, values.at(-1)!]))
}
