import type { HttpExchange } from '../../http/http-exchange.js'
import type { Answer } from '../../http/respond.js'
import { inspect } from '../../uploads/inspect.js'
import type { TusContext } from './context.js'
import { expiresHeader } from './expires-header.js'

/** Says where an upload stands. */
export async function handleHead(
  { engine }: TusContext,
  exchange: HttpExchange,
  id: string,
): Promise<Answer> {
  const { upload, offset } = await inspect(engine, id, exchange)
  const { length, metadata, concat } = upload
  return {
    status: 200,
    headers: {
      ...(offset !== undefined && { 'upload-offset': String(offset) }),
      ...(length !== undefined && { 'upload-length': String(length) }),
      ...(length === undefined && concat?.kind !== 'final' && { 'upload-defer-length': '1' }),
      ...(metadata.raw !== '' && { 'upload-metadata': metadata.raw }),
      ...(concat && { 'upload-concat': concat.kind === 'final' ? concat.header : 'partial' }),
      ...expiresHeader(upload, offset),
    },
  }
}
