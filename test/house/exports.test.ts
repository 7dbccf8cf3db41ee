import * as tuskit from 'tuskit'
import * as conformance from 'tuskit/conformance'
import * as execHooks from 'tuskit/exec-hooks'
import * as fileStore from 'tuskit/file-store'
import * as hookFormats from 'tuskit/hook-formats'
import * as httpHooks from 'tuskit/http-hooks'
import * as limitedStore from 'tuskit/limited-store'
import * as memoryStore from 'tuskit/memory-store'
import * as storeKit from 'tuskit/store-kit'
import { expect, test } from 'vitest'

// These names are public: removing or renaming one breaks applications.

test('tuskit exports', () => {
  expect(Object.keys(tuskit).toSorted()).toMatchInlineSnapshot(`
    [
      "StoreComposer",
      "TusError",
      "createHandler",
      "createUploadServer",
      "errors",
      "isTusError",
      "isUploadId",
      "metadataOf",
      "migrateData",
      "migrateInfo",
      "parseUpload",
      "safeFileName",
      "serializeUpload",
    ]
  `)
})

test('tuskit/conformance exports', () => {
  expect(Object.keys(conformance).toSorted()).toMatchInlineSnapshot(`
    [
      "conformanceSuite",
    ]
  `)
})

test('tuskit/file-store exports', () => {
  expect(Object.keys(fileStore).toSorted()).toMatchInlineSnapshot(`
    [
      "FileInfoStore",
      "FileLocker",
      "FileOutbox",
      "FileStore",
    ]
  `)
})

test('tuskit/exec-hooks and tuskit/http-hooks export', () => {
  expect(Object.keys({ ...execHooks, ...httpHooks })).toEqual(['ExecHooks', 'HttpHooks'])
})

test('tuskit/hook-formats exports', () => {
  expect(Object.keys(hookFormats).toSorted()).toMatchInlineSnapshot(`
    [
      "formatHookCall",
      "hookFormatRules",
      "hookFormats",
      "hookTypes",
      "parseHookReply",
      "usualEvents",
    ]
  `)
})

test('tuskit/limited-store exports', () => {
  expect(Object.keys(limitedStore).toSorted()).toMatchInlineSnapshot(`
    [
      "LimitedStore",
      "MemorySpaceCounter",
    ]
  `)
})

test('tuskit/memory-store exports', () => {
  expect(Object.keys(memoryStore).toSorted()).toMatchInlineSnapshot(`
    [
      "MemoryInfoStore",
      "MemoryLocker",
      "MemoryStore",
    ]
  `)
})

test('tuskit/store-kit exports', () => {
  expect(Object.keys(storeKit).toSorted()).toMatchInlineSnapshot(`
    [
      "Lease",
      "LeaseLocker",
      "TcpProxy",
      "assertMayChange",
      "assertNextRevision",
      "checkOptions",
      "contentStream",
      "eachBatch",
      "must",
      "parseUpload",
      "retry",
      "segments",
      "serializeUpload",
      "spool",
      "storageError",
      "translated",
      "unlessAborted",
    ]
  `)
})
