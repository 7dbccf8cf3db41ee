import { S3ServiceException, type S3Client } from '@aws-sdk/client-s3'

/** A request that is about to be sent. */
export interface SentRequest {
  /** Such as `UploadPart`. */
  readonly name: string
  readonly input: { readonly Key?: string; readonly PartNumber?: number }
}

/**
 * Makes requests fail, as if the service had responded with 503 (SlowDown) to each attempt: those
 * for which `fails` returns true, as long as it does.
 */
export function failRequests(client: S3Client, fails: (request: SentRequest) => boolean): void {
  client.middlewareStack.add(
    (next, { commandName = '' }) =>
      async (args) => {
        const { input } = args as unknown as SentRequest
        if (!fails({ name: commandName.replace('Command', ''), input })) return next(args)
        throw new S3ServiceException({
          ...{ name: 'SlowDown', message: 'Please reduce your request rate.' },
          ...{ $fault: 'server', $metadata: { httpStatusCode: 503 } },
        })
      },
    { step: 'initialize' },
  )
}
