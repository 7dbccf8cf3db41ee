import type { OutgoingHttpHeaders } from 'node:http'
import type { HttpExchange } from '../../http/http-exchange.js'
import type { HttpResponse } from '../../http/respond.js'
import { inspect, type Inspection } from '../../uploads/inspect.js'
import type { ProtocolContext } from '../context.js'
import { expiresHeader } from './expires-header.js'

/** Reports the state of an upload. */
export async function handleHead(
  { engine }: ProtocolContext,
  exchange: HttpExchange,
  id: string,
): Promise<HttpResponse> {
  return { status: 200, headers: stateHeaders(await inspect(engine, id, exchange, 'tus')) }
}

/** Returns the headers that report the state of an upload. */
export function stateHeaders({ upload, offset }: Inspection): OutgoingHttpHeaders {
  const { length, metadata, concat } = upload
  const headers: OutgoingHttpHeaders = expiresHeader(upload, offset)
  if (offset !== undefined) headers['upload-offset'] = offset
  if (length !== undefined) headers['upload-length'] = length
  else if (concat?.kind !== 'final') headers['upload-defer-length'] = 1
  if (metadata.raw !== '') headers['upload-metadata'] = metadata.raw
  if (concat) headers['upload-concat'] = concat.kind === 'final' ? concat.header : 'partial'
  return headers
}
