import { nodeRedis } from '../behind-proxy.js'
import { recordsSuite } from './suite.js'

recordsSuite(nodeRedis)
