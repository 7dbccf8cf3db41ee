import type { HttpExchange } from '../../http/http-exchange.js'
import type { HttpResponse } from '../../http/respond.js'
import { terminate } from '../../uploads/terminate.js'
import type { ProtocolContext } from '../context.js'
import { terminated } from '../terminated.js'

/** Removes an upload. */
export async function handleDelete(
  { engine }: ProtocolContext,
  exchange: HttpExchange,
  id: string,
): Promise<HttpResponse> {
  return terminated(await terminate(engine, id, exchange))
}
