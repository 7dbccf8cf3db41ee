import type { S3Client } from '@aws-sdk/client-s3'

/** A request to S3: what it is for, and its name, such as `PutObject`. */
export interface CountedRequest {
  readonly of: 'data' | 'records' | 'locks'
  readonly name: string
}

/** Notes the requests of a client. Returns a function that returns those since its last call. */
export function countRequests(client: S3Client): () => readonly CountedRequest[] {
  let requests: CountedRequest[] = []
  client.middlewareStack.add(
    (next, { commandName = '' }) =>
      (args) => {
        const { Key = '' } = args.input as { readonly Key?: string }
        const [, kind] = /^\.tuskit\/(records|locks)\//.exec(Key) ?? []
        const name = commandName.replace('Command', '')
        requests.push({ of: (kind as 'records' | 'locks' | undefined) ?? 'data', name })
        return next(args)
      },
    { step: 'initialize' },
  )
  return () => {
    const since = requests
    requests = []
    return since
  }
}
