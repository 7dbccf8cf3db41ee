import { ioRedis } from '../behind-proxy.js'
import { recordsSuite } from './suite.js'

recordsSuite(ioRedis)
