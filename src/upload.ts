import type { ErrorCode } from './errors.js'

/**
 * The record of one upload: plain data that survives `JSON.stringify`. It never holds the offset, which only
 * the data store knows.
 *
 * Records are immutable; a change makes a new record whose `revision` is one higher.
 */
export interface Upload {
  /** Names the upload in its URL. Not the storage key. See {@link isUploadId} for the form. */
  readonly id: string
  /** Counts the changes of this record, from 1. {@link InfoStore.update} refuses any but the next one. */
  readonly revision: number
  /** The protocol that created the upload; only that protocol continues it. */
  readonly protocol: 'tus' | 'ietf'
  /** Total size in bytes. Absent while the client has not declared it. Never changes once set. */
  readonly length?: number
  /** The most bytes this upload may hold, fixed at its creation. Absent when unlimited. */
  readonly maxSize?: number
  readonly metadata: Metadata
  /** What the request that created the upload says of its content. Absent in uploads of tus. */
  readonly representation?: Representation
  /** Digests that the whole content must have, as the metadata of tus says. See `checksumMetadata`. */
  readonly digests?: Digests
  /**
   * Present while the client's latest request declares that its body is the end of the upload (IETF draft,
   * `Upload-Complete: ?1`) in such a way that all bytes are stored only when that body came whole.
   */
  readonly completes?: true
  /** Present on both kinds of upload that take part in a concatenation. */
  readonly concat?: Concat
  /** Where the data lives, as {@link DataStore.locate} said. Recorded before the medium is touched. */
  readonly storage: StorageRef
  /** ISO 8601, UTC. */
  readonly createdAt: string
  /**
   * ISO 8601, UTC: from then on an unfinished or finished upload is refused and may be removed, and the record of a
   * rejected or removed one may be deleted. Absent when it does not expire.
   */
  readonly expiresAt?: string
  /**
   * `implied`: as soon as all bytes are stored the upload is finished, and nothing records it. `recorded`:
   * it is finished only when {@link Upload.state} says so. Fixed at creation.
   */
  readonly finish: 'implied' | 'recorded'
  readonly state: UploadState
}

/** A record whose place has not been chosen yet: what {@link DataStore.locate} gets. */
export interface UnplacedUpload extends Omit<Upload, 'storage'> {
  /** The place that a pre-create hook asks for, in the data store's own terms. Absent: the store chooses. */
  readonly place?: Readonly<Record<string, string>>
}

/** What the client said about the upload (tus 1.0.0, Upload-Metadata). */
export interface Metadata {
  /** The header value, byte for byte as the client sent it; empty when there was none. */
  readonly raw: string
  /** The decoded view: key to value, as UTF-8. Has no prototype, so `constructor` is a key like any other. */
  readonly values: Readonly<Record<string, string>>
}

/**
 * The request that created an upload of the IETF draft: what is needed to process the content as if that request had
 * brought all of it (IETF draft, Upload Creation).
 */
export interface Representation {
  readonly method: string
  /** The request target, as it reached the server. */
  readonly target: string
  /** Those of Content-Type, -Encoding, -Language, -Location and -Disposition that were sent; names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  /** Digests that the whole content must have (RFC 9530, Repr-Digest). */
  readonly digests?: Digests
  /** The algorithm of the digest that the client wants to be told (RFC 9530, Want-Repr-Digest). */
  readonly wantedDigest?: string
}

/** The part of an upload in a concatenation (tus 1.0.0, Concatenation). */
export type Concat =
  | {
      readonly kind: 'partial'
      /** Ids of the final uploads that were asked for and refer to this one. */
      readonly finals: readonly string[]
    }
  | {
      readonly kind: 'final'
      /** The `Upload-Concat` value as received. */
      readonly header: string
      /** Ids of the partial uploads, in order; one may stand there more than once. */
      readonly partials: readonly string[]
    }

/** The life of an upload. Every state but `open` is for good, except that any may become `gone`. */
export type UploadState =
  /** Takes bytes, or waits to be finished. */
  | { readonly kind: 'open' }
  /** All bytes are there and finishing succeeded. */
  | {
      readonly kind: 'finished'
      readonly at: string
      readonly response?: FinalResponse
      /** The digests of the content that were computed. */
      readonly digests?: Digests
    }
  /** A hook refused the upload, or its content is not what it should be. Whoever asks again gets the verdict again. */
  | { readonly kind: 'rejected'; readonly at: string; readonly response: FinalResponse }
  /** Removed, or being removed: what remains is the trace by which the removal is completed. */
  | {
      readonly kind: 'gone'
      readonly at: string
      /** `overrun`: more bytes came than the length allows, which ends uploads of the IETF draft. */
      readonly cause: 'terminated' | 'expired' | 'overrun'
    }

/** An answer that is recorded: one that the application chose, unless there is a {@link FinalResponse.code}. */
export interface FinalResponse {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  /** The error that is told, in the form of the protocol. Its sentence is the body. */
  readonly code?: ErrorCode
  /** The digests that the client gave for the whole and the content does not have, when that is the error. */
  readonly digests?: Digests
}

/** Digests in Base64, by algorithm, which has the name that `node:crypto` knows. */
export type Digests = Readonly<Record<string, string>>

/** Where the data of an upload lives. */
export interface StorageRef {
  /** The kind of store, for example `file` or `s3`. */
  readonly kind: string
  /** The place in the store's own terms (path; bucket and key). May be shown to hooks and logs. */
  readonly at: Readonly<Record<string, string>>
  /** What the store needs to go on (multipart id, session URL). Never leaves record and store. */
  readonly secret?: Json
}

export type Json =
  null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json }

/**
 * Whether a text can be the id of an upload: 1 to 128 of the characters `A-Z a-z 0-9 - . _ ~`, not beginning
 * with a dot. So an id is safe in URLs and as a file name.
 */
export function isUploadId(text: string): boolean {
  return /^[A-Za-z0-9_~-][A-Za-z0-9._~-]{0,127}$/.test(text)
}

/** Whether the time has come at which an upload is refused. `now` is in milliseconds. */
export function isExpired(upload: Upload, now: number): boolean {
  return upload.expiresAt !== undefined && Date.parse(upload.expiresAt) <= now
}
