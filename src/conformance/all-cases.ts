import type { Case } from './case.js'
import { claimCase } from './cases/claim.js'
import { appendCutCases } from './cases/append-cuts.js'
import { appendFaultCases } from './cases/append-faults.js'
import { changeFaultCases } from './cases/change-faults.js'
import { readFaultCases } from './cases/read-faults.js'
import { appendCases } from './cases/append.js'
import { concatenatorCases } from './cases/concatenator.js'
import { contentReaderCases } from './cases/content-reader.js'
import { damagedRecordCases } from './cases/damaged-record.js'
import { dataStoreCases } from './cases/data-store.js'
import { expiryIndexCases } from './cases/expiry-index.js'
import { finisherCases } from './cases/finisher.js'
import { infoListerCases } from './cases/info-lister.js'
import { infoStoreCases } from './cases/info-store.js'
import { interruptionCases } from './cases/interruption.js'
import { lifecyclesCases } from './cases/lifecycles.js'
import { listFaultCases } from './cases/list-faults.js'
import { lockFaultCases } from './cases/lock-faults.js'
import { lockLossCases } from './cases/lock-loss.js'
import { lockRaceCases } from './cases/lock-races.js'
import { largeSizeCases } from './cases/large-sizes.js'
import { lockerCases } from './cases/locker.js'
import { recordContentCases } from './cases/record-content.js'
import { metadataCases } from './cases/metadata.js'
import { openConnectionCases } from './cases/open-connections.js'
import { openHandleCases } from './cases/open-handles.js'
import { placeCases } from './cases/places.js'
import { recordFaultCases } from './cases/record-faults.js'
import { recordRaceCases } from './cases/record-races.js'
import { secretCases } from './cases/secret.js'
import { settleCases } from './cases/settle.js'
import { severalUploadsCases } from './cases/several-uploads.js'
import { terminatorCases } from './cases/terminator.js'
import { verifiedAppenderCases } from './cases/verified-appender.js'

/** All cases, in the order in which they are registered. */
export const allCases: readonly Case[] = [
  claimCase,
  ...dataStoreCases,
  ...secretCases,
  ...metadataCases,
  ...placeCases,
  ...largeSizeCases,
  ...appendCases,
  ...interruptionCases,
  ...verifiedAppenderCases,
  ...finisherCases,
  ...terminatorCases,
  ...concatenatorCases,
  ...contentReaderCases,
  ...severalUploadsCases,
  ...appendCutCases,
  ...appendFaultCases,
  ...changeFaultCases,
  ...readFaultCases,
  ...openHandleCases,
  ...infoStoreCases,
  ...recordContentCases,
  ...recordFaultCases,
  ...expiryIndexCases,
  ...infoListerCases,
  ...listFaultCases,
  ...recordRaceCases,
  ...damagedRecordCases,
  ...lockerCases,
  ...settleCases,
  ...lockRaceCases,
  ...lockFaultCases,
  ...lockLossCases,
  ...openConnectionCases,
  ...lifecyclesCases,
]
