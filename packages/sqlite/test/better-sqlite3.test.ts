import { test } from 'vitest'
import { connector } from './better-sqlite3.js'
import { runSuite } from './suite.mjs'

runSuite({ test, connect: await connector() })
