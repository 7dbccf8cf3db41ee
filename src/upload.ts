import type { ErrorCode } from './error-codes.js'

/**
 * The record of one upload: plain data that survives `JSON.stringify`. It never holds the offset,
 * which only the data store knows.
 *
 * Records are immutable. A change makes a new record whose `revision` is one higher.
 */
export interface Upload {
  /** Names the upload in its URL. Not the storage key. See {@link isUploadId} for the form. */
  readonly id: string
  /**
   * Counts the changes of this record, from 1. {@link InfoStore.update} accepts only the next one.
   */
  readonly revision: number
  /** The protocol that created the upload. Only that protocol continues it. */
  readonly protocol: 'tus' | 'ietf'
  /** Total size in bytes. Absent while the client has not declared it. Never changes once set. */
  readonly length?: number
  /** Maximum size in bytes, fixed at creation. Absent when unlimited. */
  readonly maxSize?: number
  readonly metadata: Metadata
  /** Headers of the creation that describe the content. Absent in tus uploads. */
  readonly representation?: Representation
  /** Digests that the whole content must have, from tus metadata. See `checksumMetadata`. */
  readonly digests?: Digests
  /**
   * Present while the client's latest request declares that its body is the end of the upload (IETF
   * draft, `Upload-Complete: ?1`), and all bytes can be stored only if that body arrives whole.
   */
  readonly completes?: true
  /** Present on partial and final uploads. */
  readonly concat?: Concat
  /**
   * The place of the data, from {@link DataStore.locate}. Recorded before anything is stored there.
   */
  readonly storage: StorageRef
  /** The place to which {@link migrateData} is copying the data. */
  readonly moving?: StorageRef
  /** Time of the creation: ISO 8601, UTC. */
  readonly createdAt: string
  /**
   * ISO 8601, UTC. From then on requests for an unfinished or finished upload are refused, and it
   * may be removed. The record of a rejected or removed one may be deleted. Absent when it does not
   * expire.
   */
  readonly expiresAt?: string
  /**
   * `implied`: the upload is finished as soon as all bytes are stored, and nothing records it.
   * `recorded`: it is finished only when {@link Upload.state} says so. Fixed at creation.
   */
  readonly finish: 'implied' | 'recorded'
  readonly state: UploadState
}

/** A record without a place yet, as {@link DataStore.locate} gets it. */
export interface UnplacedUpload extends Omit<Upload, 'storage'> {
  /**
   * The place that a `preCreate` hook chose, in the data store's own terms. Absent: the store
   * chooses.
   */
  readonly place?: Readonly<Record<string, string>>
}

/** The client's description of the upload (tus 1.0.0, Upload-Metadata). */
export interface Metadata {
  /** The header value, byte for byte as the client sent it. Empty when there was none. */
  readonly raw: string
  /**
   * The decoded view: key to value, as UTF-8. It has no prototype, so `constructor` is a key like
   * any other.
   */
  readonly values: Readonly<Record<string, string>>
}

/**
 * The parts of the request that created a draft upload that are needed to process the content as if
 * that request had carried all of it (IETF draft, Upload Creation).
 */
export interface Representation {
  readonly method: string
  /** The request target, as it reached the server. */
  readonly target: string
  /**
   * Those of Content-Type, -Encoding, -Language, -Location and -Disposition that were sent. Names
   * are in lower case.
   */
  readonly headers: Readonly<Record<string, string>>
  /** Digests that the whole content must have (RFC 9530, Repr-Digest). */
  readonly digests?: Digests
  /** The algorithm of the digest that the client requests (RFC 9530, Want-Repr-Digest). */
  readonly wantedDigest?: string
}

/** The role of an upload in a concatenation (tus 1.0.0, Concatenation). */
export type Concat =
  | {
      readonly kind: 'partial'
      /** Ids of the final uploads that were requested and refer to this one. */
      readonly finals: readonly string[]
    }
  | {
      readonly kind: 'final'
      /** The `Upload-Concat` value as received. */
      readonly header: string
      /** Ids of the partial uploads, in order. One may be listed more than once. */
      readonly partials: readonly string[]
    }

/** The state of an upload. All but `open` are permanent, except that any may become `gone`. */
export type UploadState =
  /** Accepts bytes, or waits to be finished. */
  | { readonly kind: 'open' }
  /** All bytes are stored and finishing succeeded. */
  | {
      readonly kind: 'finished'
      readonly at: string
      readonly response?: RecordedResponse
      /** The digests of the content that were computed. */
      readonly digests?: Digests
    }
  /**
   * A hook rejected the upload, or its content does not match its digests. Every later
   * request gets the same response.
   */
  | { readonly kind: 'rejected'; readonly at: string; readonly response: RecordedResponse }
  /** Removed, or being removed. The record remains so that the removal can be completed. */
  | {
      readonly kind: 'gone'
      readonly at: string
      /** `overrun`: more bytes came than the length allows, which ends draft uploads. */
      readonly cause: 'terminated' | 'expired' | 'overrun'
    }

/**
 * A recorded response. The application chose it, unless there is a {@link RecordedResponse.code}.
 */
export interface RecordedResponse {
  /**
   * Absent when the hook chose none. Then the response has the status that its request has by
   * default.
   */
  readonly status?: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  /** The error that is reported in the form of the protocol. Its sentence is the body. */
  readonly code?: ErrorCode
  /**
   * The client's digests of the whole content that do not match, if the error is about them.
   */
  readonly digests?: Digests
}

/** Digests in Base64, by algorithm. Algorithms have the names that `node:crypto` knows. */
export type Digests = Readonly<Record<string, string>>

/** The place of an upload's data. */
export interface StorageRef {
  /** The kind of store, for example `file` or `s3`. */
  readonly kind: string
  /** The place in the store's own terms (path; bucket and key). May be shown to hooks and logs. */
  readonly at: Readonly<Record<string, string>>
  /**
   * State that the store needs to continue (multipart id, session URL). Never leaves record and
   * store.
   */
  readonly secret?: Json
}

export type Json =
  null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json }

/**
 * Returns whether a text can be the id of an upload: 1 to 200 of the characters
 * `A-Z a-z 0-9 - . _ ~ +`, not beginning with a dot. Such an id is safe in the path of a URL and as
 * a file name, which has 55 more bytes for what is added to it.
 */
export function isUploadId(text: string): boolean {
  return /^(?!\.)[A-Za-z0-9._~+-]{1,200}$/.test(text)
}

/** Returns whether an upload has expired at `now`, in milliseconds. */
export function isExpired(upload: Upload, now: number): boolean {
  return upload.expiresAt !== undefined && Date.parse(upload.expiresAt) <= now
}
