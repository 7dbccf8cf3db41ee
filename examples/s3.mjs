import { GetObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { getSignedUrl } from '@aws-sdk/s3-request-presigner'
import { createHandler, createUploadServer, StoreComposer } from 'tuskit'
import { S3InfoStore, S3Locker, S3Store } from '@tuskit/s3-store'

// The SDK takes credentials, region and endpoint from the environment: AWS_ACCESS_KEY_ID,
// AWS_SECRET_ACCESS_KEY, AWS_REGION and, for another service than Amazon's, AWS_ENDPOINT_URL_S3.
const client = new S3Client({ forcePathStyle: process.env.AWS_ENDPOINT_URL_S3 !== undefined })
const bucket = process.env.BUCKET ?? 'uploads'

// Clients download from S3, with a URL that is valid for five minutes.
const redirect = (Bucket, Key) =>
  getSignedUrl(client, new GetObjectCommand({ Bucket, Key }), { expiresIn: 300 })

// Any number of processes can run this at the same time.
const composer = new StoreComposer().use(
  new S3Store({ client, bucket, redirect }),
  new S3InfoStore({ client, bucket }),
  new S3Locker({ client, bucket }),
)
const handler = createHandler({ basePath: '/files', composer })
await handler.open()
const server = createUploadServer(handler)

server.listen(process.env.PORT ?? 1080, () => {
  console.log(`Uploads to http://localhost:${server.address().port}/files/`)
})
