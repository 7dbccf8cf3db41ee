import type { HttpExchange } from '../../http/http-exchange.js'
import type { HttpResponse } from '../../http/respond.js'
import { terminate } from '../../uploads/terminate.js'
import type { ProtocolContext } from '../context.js'

/** Removes an upload. */
export async function handleDelete(
  { engine }: ProtocolContext,
  exchange: HttpExchange,
  id: string,
): Promise<HttpResponse> {
  await terminate(engine, id, exchange)
  return { status: 204, headers: {} }
}
