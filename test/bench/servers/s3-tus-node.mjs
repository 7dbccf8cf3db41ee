// @tus/server with its data and records in a bucket. Arguments, as JSON: `bucket`; `config`, of the
// client.
import { S3Store } from '@tus/s3-store'
import { Server } from '@tus/server'

const { bucket, config } = JSON.parse(process.argv[2])
const datastore = new S3Store({ s3ClientConfig: { bucket, ...config } })
const tus = new Server({ path: '/files', datastore })
const server = tus.listen(0, '127.0.0.1', () => console.log(server.address().port))
