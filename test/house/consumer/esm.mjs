import * as tuskit from 'tuskit'
import * as fileStore from 'tuskit/file-store'
import * as memoryStore from 'tuskit/memory-store'
import { roundTrip } from './round-trip.cjs'

await roundTrip(tuskit, fileStore, memoryStore)
