import type { HookCall } from '../hook-backend.js'
import type { HookRequest } from '../hook-request.js'

/** The place of the data; absent before it is chosen. */
export type StorageDescription = Readonly<Record<string, string>> | undefined

/** Returns a message as tusd 2 sends it. */
export function tusdMessage(call: HookCall, storage: StorageDescription): object {
  const { event, action, request } = call
  const headers = Object.entries(request?.headers ?? {})
  return {
    Type: event.type,
    Event: {
      ...(action && { Action: action }),
      Upload: {
        ...tusdUpload(call),
        Size: call.upload?.length ?? 0,
        Storage: storage ?? null,
      },
      HTTPRequest: {
        Method: request?.method ?? '',
        URI: request?.target ?? '',
        RemoteAddr: request ? addressAndPort(request) : '',
        Header: Object.fromEntries(headers.map(([name, values]) => [canonical(name), values])),
      },
    },
  }
}

/** Returns what the forms of tusd and Rustus have in common, without the size and the place. */
export function tusdUpload({ upload, offset }: HookCall) {
  const { concat } = upload ?? {}
  return {
    ID: upload?.id ?? '',
    SizeIsDeferred: upload !== undefined && upload.length === undefined,
    Offset: offset,
    MetaData: upload?.metadata.values ?? {},
    IsPartial: concat?.kind === 'partial',
    IsFinal: concat?.kind === 'final',
    PartialUploads: concat?.kind === 'final' ? concat.partials : null,
  }
}

function addressAndPort({ remoteAddress, remotePort }: HookRequest): string {
  // As Go writes the peer of a Unix domain socket.
  if (remoteAddress === undefined) return '@'
  const host = remoteAddress.includes(':') ? `[${remoteAddress}]` : remoteAddress
  return `${host}:${remotePort}`
}

/** Returns the name of a header as Go writes it: `Upload-Length`. */
function canonical(name: string): string {
  return name.replace(/(^|-)[a-z]/g, (start) => start.toUpperCase())
}
