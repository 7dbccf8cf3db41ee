import type { IncomingHttpHeaders } from 'node:http'
import { isTusError, TusError } from '../../../errors.js'
import type { HttpExchange } from '../../../http/http-exchange.js'
import { targetOf } from '../../../http/route.js'
import { metadataValues, parseMetadata } from '../../../metadata.js'
import type { Metadata, Representation } from '../../../upload.js'
import { announcesTrailer, header, type ProtocolContext } from '../../context.js'
import { readDigest, requireDigests } from './content-digest.js'
import { isPartialUpload } from '../fields/media-type.js'
import { parseWantDigest } from '../fields/parse-digest.js'
import { parseFilename } from '../fields/parse-disposition.js'

const fields = [
  'content-type',
  'content-encoding',
  'content-language',
  'content-location',
  'content-disposition',
]

/** The description of the content in a creation, unchanged and as tus clients send it. */
export function representationOf(
  context: ProtocolContext,
  { request, method }: HttpExchange,
): { readonly metadata: Metadata; readonly representation: Representation } {
  const given = (name: string) => header(request.headers, name)
  const entries = fields.flatMap((name) => {
    const value = given(name)
    return value === undefined ? [] : [[name, value] as const]
  })
  const wantedDigest = wanted(context, given('want-repr-digest'))
  return {
    metadata: describe(given),
    representation: {
      method,
      target: targetOf(request),
      headers: Object.fromEntries(entries),
      ...digestsOf(context, request.headers),
      ...(wantedDigest && { wantedDigest }),
    },
  }
}

/**
 * Returns file name and type under their tus keys. `Upload-Metadata`, which some clients send,
 * comes first.
 */
function describe(given: (name: string) => string | undefined): Metadata {
  const type = given('content-type')
  const filename = parseFilename(given('content-disposition'))
  const { raw, values } = uploadMetadata(given('upload-metadata'))
  const described = {
    ...(filename !== undefined && { filename }),
    ...(type !== undefined && !isPartialUpload(type) && { filetype: type }),
  }
  return { raw, values: metadataValues(Object.entries({ ...described, ...values })) }
}

/** The draft does not know the header, so a malformed one counts as absent. */
function uploadMetadata(value: string | undefined): Metadata {
  try {
    return parseMetadata(value)
  } catch (error) {
    if (!isTusError(error, 'ERR_INVALID_METADATA')) throw error
    return parseMetadata(undefined)
  }
}

function digestsOf(
  context: ProtocolContext,
  headers: IncomingHttpHeaders,
): Pick<Representation, 'digests'> {
  if (announcesTrailer(headers, 'repr-digest')) {
    throw new TusError('ERR_UNSUPPORTED_DIGEST', {
      message: 'Send Repr-Digest as a header; this server does not look at it behind the body',
    })
  }
  const value = header(headers, 'repr-digest')
  if (value === undefined) return {}
  requireDigests(context, 'Repr-Digest')
  if (context.engine.stores.contentReader === undefined) {
    throw new TusError('ERR_UNSUPPORTED_DIGEST', {
      message: 'This server cannot read uploads, so it cannot verify Repr-Digest',
    })
  }
  const expected = readDigest(value)
  return {
    digests: Object.fromEntries(
      expected.map(({ algorithm, digest }) => [algorithm, digest.toString('base64')]),
    ),
  }
}

/** A wish, which is not fulfilled where that is not possible. */
function wanted({ engine }: ProtocolContext, value: string | undefined): string | undefined {
  if (value === undefined || !engine.features.has('checksum')) return undefined
  return engine.stores.contentReader && parseWantDigest(value)
}
