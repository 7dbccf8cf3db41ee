import { nodeRedis } from '../behind-proxy.js'
import { locksSuite } from './suite.js'

locksSuite(nodeRedis)
