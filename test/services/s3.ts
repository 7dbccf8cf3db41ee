import { once } from 'node:events'
import { CreateBucketCommand } from '@aws-sdk/client-s3'
import { CephGateway, credentials } from '../../packages/s3-store/services.js'

// Starts an S3 service with an empty bucket, for trying things out. Ends with Ctrl+C.
const gateway = await CephGateway.start()
await gateway.client().send(new CreateBucketCommand({ Bucket: 'uploads' }))
console.log(`An empty bucket, until Ctrl+C. In another terminal:

export AWS_ACCESS_KEY_ID=${credentials.accessKeyId}
export AWS_SECRET_ACCESS_KEY=${credentials.secretAccessKey}
tuskit --data 's3://uploads?endpoint=${gateway.endpoint}&region=us-east-1'
`)
await Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')])
await gateway.stop()
process.exit()
