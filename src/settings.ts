import { randomUUID } from 'node:crypto'
import { beHooks, beOutbox, checkHooks, refuseClosed } from './check-hooks.js'
import { featureNames } from './features.js'
import type { BodyBufferOptions, ExpirationOptions, HandlerOptions } from './handler-options.js'
import { TusError } from './errors.js'
import type { HookBackend } from './hook-backend.js'
import type { Hooks } from './hooks.js'
import { namesElsewhere } from './names-elsewhere.js'
import { beLogger } from './logger.js'
import {
  checkOptions,
  must,
  optionError,
  type OptionOwner,
  type OptionRule,
} from './check-options.js'
import { isTrustedEntry } from './http/trust-proxy.js'
import type { StoreSlots } from './store-composer.js'
import type { FilledSlots } from './uploads/stores/bounded-stores.js'
import type { TimeLimit } from './uploads/stores/time-limit.js'
import type { EngineSettings } from './uploads/engine.js'

const owner: OptionOwner = { name: 'createHandler', otherNames: namesElsewhere }

const beTrustProxy: OptionRule = {
  expectation:
    "a boolean, a number of proxies, or an array of addresses such as '10.0.0.0/8' and 'unix:'",
  accepts: (v) =>
    typeof v === 'boolean' ||
    (Number.isSafeInteger(v) && (v as number) >= 0) ||
    (Array.isArray(v) && v.every(isTrustedEntry)),
}

const beLocation: OptionRule = {
  expectation: "'relative', 'absolute', or a URL that begins with http:// or https://",
  accepts: (v) => v === 'relative' || v === 'absolute' || isPublicUrl(v),
  choices: ['relative', 'absolute'],
}

function isPublicUrl(value: unknown): boolean {
  if (typeof value !== 'string' || !URL.canParse(value)) return false
  const { protocol, search, hash } = new URL(value)
  return /^https?:$/.test(protocol) && search === '' && hash === ''
}

const beMaxSize: OptionRule = {
  expectation: 'a whole number of bytes, more than 0, Infinity, or a function',
  accepts: (v) => typeof v === 'function' || must.beBytesOrInfinity.accepts(v),
}

const beMillisecondsOrInfinity: OptionRule = {
  expectation: `${must.beMilliseconds.expectation}, or Infinity`,
  accepts: (v) => v === Infinity || must.beMilliseconds.accepts(v),
}

const beShare: OptionRule = {
  expectation: 'a whole number of bytes, at least 65536',
  accepts: (v) => Number.isSafeInteger(v) && (v as number) >= 65_536,
}

/** The options of a handler, with all hooks. */
export interface CheckedHandlerOptions extends Omit<HandlerOptions, 'hooks'> {
  readonly hooks: readonly (Hooks | HookBackend)[]
}

/**
 * Returns the options of a handler, checked and frozen. Throws a `TypeError` if one is wrong,
 * missing or contradicts another.
 */
export function checkHandlerOptions(given: HandlerOptions): CheckedHandlerOptions {
  const options = checkOptions<HandlerOptions>(owner, given, {
    basePath: { ...must.beText, required: true },
    composer: {
      expectation: 'a StoreComposer',
      accepts: (v) => typeof (v as { slots?: unknown } | null)?.slots === 'function',
      required: true,
    },
    maxSize: beMaxSize,
    minSize: must.beSize,
    minAppendSize: must.beSize,
    maxAppendSize: must.beBytesOrInfinity,
    checksumMetadata: must.beText,
    maxPartials: must.beCount,
    maxFinals: must.beCount,
    interimResponses: must.beBoolean,
    generateId: must.beFunction,
    location: beLocation,
    trustProxy: beTrustProxy,
    download: must.beFunction,
    cors: { expectation: 'a boolean or an object', accepts: isBooleanOrObject },
    expiration: must.beObject,
    disable: must.beListOf(...featureNames),
    takeoverAfter: must.beMilliseconds,
    idleTimeout: must.beMilliseconds,
    lockTimeout: must.beMilliseconds,
    settleTimeout: must.beMilliseconds,
    flushTimeout: must.beMilliseconds,
    storeTimeout: must.beMilliseconds,
    finishTimeout: must.beMilliseconds,
    hookTimeout: must.beMilliseconds,
    preFinishTimeout: beMillisecondsOrInfinity,
    verdictRetention: must.beMilliseconds,
    bodyBuffer: must.beObject,
    progressInterval: must.beMilliseconds,
    logger: beLogger,
    hooks: beHooks,
    outbox: beOutbox,
    outboxRetention: must.beMilliseconds,
  })
  if (options.expiration !== undefined) {
    checkOptions<ExpirationOptions>({ ...owner, within: 'expiration' }, options.expiration, {
      after: must.beMilliseconds,
      finishedAfter: must.beMilliseconds,
      sweepEvery: must.beMilliseconds,
    })
    if ((options.expiration.after ?? options.expiration.finishedAfter) === undefined) {
      const expectation = "an object with 'after', 'finishedAfter' or both"
      throw optionError(owner, 'expiration', { expectation }, options.expiration)
    }
  }
  if (options.bodyBuffer !== undefined) {
    checkOptions<BodyBufferOptions>({ ...owner, within: 'bodyBuffer' }, options.bodyBuffer, {
      perUpload: beShare,
      total: beShare,
    })
  }
  checkOrder(options, 'minSize', 'maxSize')
  checkOrder(options, 'minSize', 'maxAppendSize')
  checkOrder(options, 'minAppendSize', 'maxAppendSize')
  return { ...options, hooks: checkHooks(options.hooks ?? []) }
}

/**
 * Throws a `TypeError` if a minimum exceeds a maximum, because every upload would be refused. An
 * upload below `minSize` must come in one request, so that request must be allowed to carry it.
 */
function checkOrder(
  options: HandlerOptions,
  least: 'minSize' | 'minAppendSize',
  most: 'maxSize' | 'maxAppendSize',
): void {
  const { [least]: min = 0, [most]: max = Infinity } = options
  if (typeof max === 'function' || min <= max) return
  const expectation = `at most ${max}, the value of option '${most}'`
  throw optionError(owner, least, { expectation }, min)
}

function isBooleanOrObject(value: unknown): boolean {
  return typeof value === 'boolean' || must.beObject.accepts(value)
}

/** Returns the slots. Throws a `TypeError` if the options need others. */
export function checkStores(
  slots: Readonly<StoreSlots>,
  options: HandlerOptions,
): Omit<FilledSlots, 'locker'> {
  const { dataStore, infoStore, expiryIndex, contentReader, lifecycles = [] } = slots
  const { expiration, disable, checksumMetadata } = options
  const fail = (option: string, expectation: string, value: unknown): never => {
    throw optionError(owner, option, { expectation }, value)
  }
  if (dataStore === undefined) {
    const call = 'composer.use(new FileStore(…))'
    return fail('composer', `a StoreComposer with a DataStore, such as ${call}`, slots)
  }
  if (infoStore === undefined) {
    const call = 'composer.use(new FileInfoStore(…))'
    return fail('composer', `a StoreComposer with an InfoStore, such as ${call}`, slots)
  }
  for (const object of lifecycles) refuseClosed('the composer', object)
  if (expiration !== undefined && expiryIndex === undefined) {
    fail('expiration', 'absent, because the composer has no ExpiryIndex', expiration)
  }
  if (expiration !== undefined && disable?.includes('expiration')) {
    fail('disable', "without 'expiration', because option 'expiration' is set", disable)
  }
  if (checksumMetadata !== undefined && contentReader === undefined) {
    fail('checksumMetadata', 'absent, because the composer has no ContentReader', checksumMetadata)
  }
  for (const name of ['minSize', 'maxSize'] as const) {
    const size = options[name]
    const { maxSize } = dataStore
    if (typeof size === 'number' && size !== Infinity && size > maxSize) {
      fail(name, `at most ${maxSize}, the maxSize of the DataStore`, size)
    }
  }
  return { ...slots, dataStore, infoStore }
}

/** Returns the options that `uploads` works with, with their defaults. */
export function engineSettings(
  options: HandlerOptions,
  stores: Pick<FilledSlots, 'dataStore'>,
  hookLimit: TimeLimit,
): EngineSettings {
  const { maxSize = Infinity, generateId } = options
  const { dataStore } = stores
  const inTime = <T>(option: string, start: () => T | Promise<T>): Promise<T> => {
    const timeoutError = () =>
      new TusError('ERR_HOOK_FAILED', { cause: hookLimit.exceeded(`The function ${option}`) })
    return hookLimit.run<T>({ start, timeoutError })
  }
  return {
    async maxSize({ request }, upload) {
      if (typeof maxSize === 'number') return Math.min(maxSize, dataStore.maxSize)
      const limit =
        request === undefined ? Infinity : await inTime('maxSize', () => maxSize(request, upload))
      // An invalid return value must not silently mean "unlimited".
      if (must.beLimit.accepts(limit)) return Math.min(limit, dataStore.maxSize)
      const expectation = `a function that returns ${must.beLimit.expectation}`
      throw optionError(owner, 'maxSize', { expectation }, limit)
    },
    async generateId({ request }) {
      if (generateId === undefined || request === undefined) {
        return { id: randomUUID().replaceAll('-', ''), random: true }
      }
      return { id: await inTime('generateId', () => generateId(request)), random: false }
    },
    expireAfter: options.expiration?.after,
    finishedAfter: options.expiration?.finishedAfter,
    takeoverAfter: options.takeoverAfter ?? 1_000,
    lockTimeout: options.lockTimeout ?? 15_000,
    settleTimeout: options.settleTimeout ?? 200,
    idleTimeout: options.idleTimeout ?? 60_000,
    flushTimeout: options.flushTimeout ?? 10_000,
    storeTimeout: options.storeTimeout ?? 15_000,
    finishTimeout: options.finishTimeout ?? 30_000,
    verdictRetention: options.verdictRetention ?? 86_400_000,
    progressInterval: options.progressInterval ?? 1_000,
    minSize: options.minSize ?? 0,
    minAppendSize: options.minAppendSize ?? 0,
    maxAppendSize: options.maxAppendSize ?? Infinity,
    maxPartials: options.maxPartials ?? 100,
    maxFinals: options.maxFinals ?? 100,
  }
}
