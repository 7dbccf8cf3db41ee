import { ioRedis } from '../behind-proxy.js'
import { locksSuite } from './suite.js'

locksSuite(ioRedis)
