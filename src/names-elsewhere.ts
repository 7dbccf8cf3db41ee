/**
 * Names that people know from other servers, each with the options of a handler that serve the same
 * purpose. Errors about unknown options suggest them.
 */
export const namesElsewhere: Readonly<Record<string, readonly string[]>> = {
  // tus-node-server
  path: ['basePath'],
  datastore: ['composer'],
  locker: ['composer'],
  namingFunction: ['generateId'],
  generateUrl: ['location'],
  relativeLocation: ['location'],
  respectForwardedHeaders: ['trustProxy'],
  allowedOrigins: ['cors.origins'],
  allowedHeaders: ['cors.allowHeaders'],
  exposedHeaders: ['cors.exposeHeaders'],
  allowedCredentials: ['cors.credentials'],
  postReceiveInterval: ['progressInterval'],
  disableTerminationForFinishedUploads: ['hooks.preTerminate'],
  onIncomingRequest: ['hooks.access'],
  onUploadCreate: ['hooks.preCreate'],
  onUploadFinish: ['hooks.preFinish', 'hooks.postFinish'],
  // tusd
  storeComposer: ['composer'],
  behindProxy: ['trustProxy'],
  acquireLockTimeout: ['lockTimeout'],
  networkTimeout: ['idleTimeout'],
  progressHooksInterval: ['progressInterval'],
  uploadProgressInterval: ['progressInterval'],
  disableDownload: ['disable'],
  disableTermination: ['disable'],
  preUploadCreateCallback: ['hooks.preCreate'],
  preFinishResponseCallback: ['hooks.preFinish'],
  preUploadTerminateCallback: ['hooks.preTerminate'],
  // Hooks outside of `hooks`, and likely guesses
  access: ['hooks.access'],
  preCreate: ['hooks.preCreate'],
  postCreate: ['hooks.postCreate'],
  postReceive: ['hooks.postReceive'],
  preFinish: ['hooks.preFinish'],
  postFinish: ['hooks.postFinish'],
  preTerminate: ['hooks.preTerminate'],
  postTerminate: ['hooks.postTerminate'],
  store: ['composer'],
  stores: ['composer'],
  onUploadProgress: ['hooks.postReceive'],
  onUploadTerminate: ['hooks.preTerminate', 'hooks.postTerminate'],
}
