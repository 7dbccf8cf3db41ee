import fc from 'fast-check'
import type { StoreComposer } from 'tuskit'
import { ending, target } from './arbitraries.js'
import type { Step } from './commands.js'
import { draftBeginning, draftRival, draftSteps } from './draft-steps.js'
import { Model } from './model.js'
import { Cut, Meet, type Beginning } from './races.js'
import { compare } from './send.js'
import type { Target, UploadRequest } from './requests.js'
import { Site, type SiteOptions } from './site.js'
import { Together } from './together.js'
import { tusBeginning, tusRival, tusSteps } from './tus-steps.js'

/** Steps in which clients of one protocol get in each other's way. */
function racesOf(beginning: fc.Arbitrary<Beginning>, rival: fc.Arbitrary<UploadRequest>) {
  const meetings = fc.tuple(target, beginning, rival)
  return [
    fc.tuple(target, beginning, ending).map((values) => new Cut(...values)),
    meetings.map((values) => new Meet(...values)),
    fc.tuple(target, fc.tuple(rival, rival)).map((values) => new Together(...values)),
  ]
}

/**
 * Requests of both protocols to one upload. The protocol that did not create it must not touch it.
 */
const stray: fc.Arbitrary<Target> = target.map((values) => ({ ...values, strays: true }))
const mixedRaces = [
  fc.tuple(stray, tusBeginning, draftRival).map((values) => new Meet(...values)),
  fc.tuple(stray, draftBeginning, tusRival).map((values) => new Meet(...values)),
  fc.tuple(stray, fc.tuple(tusRival, draftRival)).map((values) => new Together(...values)),
]

const tusRaces = racesOf(tusBeginning, tusRival)
const draftRaces = racesOf(draftBeginning, draftRival)
const tusHistory = [...tusSteps, ...tusRaces, ...tusRaces, ...tusRaces]
const draftHistory = [...draftSteps, ...draftRaces, ...draftRaces, ...draftRaces]
const mixedHistory = [...tusHistory, ...draftHistory, ...mixedRaces, ...mixedRaces]

const history = (steps: readonly fc.Arbitrary<Step>[]) =>
  fc.commands([...steps], { maxCommands: 80, size: 'max' })
const histories = fc.oneof(...[tusHistory, draftHistory, mixedHistory].map(history))

/**
 * Checks that a server responds to several clients of both protocols as the model does. A sound
 * server needs few looks for each event that a step waits for; `patience` keeps a broken one
 * from making a history endless.
 */
export function agreesWithModel(compose: () => Promise<StoreComposer>, options: SiteOptions = {}) {
  return fc.asyncProperty(histories, async (commands) => {
    const site = await Site.open(await compose(), options)
    const model = new Model()
    try {
      await fc.asyncModelRun(() => ({ model, real: site }), commands)
      await compare(model, site)
    } finally {
      await site.close()
    }
  })
}
