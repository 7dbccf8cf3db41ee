// tuskit with its data and records in a bucket. Arguments, as JSON: `bucket`; `config`, of the
// client. Preload the build that is measured.
import { S3Client } from '@aws-sdk/client-s3'
import { S3InfoStore, S3Store } from '@tuskit/s3-store'
import { createHandler, createUploadServer, StoreComposer } from 'tuskit'

const { bucket, config } = JSON.parse(process.argv[2])
const client = new S3Client(config)
const composer = new StoreComposer()
new S3Store({ client, bucket, provider: 'ceph' }).useIn(composer)
new S3InfoStore({ client, bucket }).useIn(composer)

const handler = createHandler({ basePath: '/files', composer })
await handler.open()
const server = createUploadServer(handler)
server.listen(0, '127.0.0.1', () => console.log(server.address().port))
