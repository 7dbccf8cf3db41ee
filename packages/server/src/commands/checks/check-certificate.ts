import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createSecureContext } from 'node:tls'
import type { CommandCall } from '../command.js'
import { reasonOf } from '../../explain.js'
import { counted } from '../terminal/quantities.js'
import { failed, failedBy, ok, warning, type Finding } from './finding.js'

const day = 86_400_000

/** Reads the certificate, and shows how long it is valid. */
export async function* checkCertificate({ settings }: CommandCall): AsyncGenerator<Finding> {
  const { tlsCert, tlsKey } = settings
  if (tlsCert === undefined && tlsKey === undefined) return
  if (tlsCert === undefined) yield failed('certificate', '--tls-key needs --tls-cert')
  else if (tlsKey === undefined) yield failed('certificate', '--tls-cert needs --tls-key')
  else yield await Promise.resolve(examine(tlsCert, tlsKey))
}

function examine(tlsCert: string, tlsKey: string): Finding {
  let cert: Buffer
  let key: Buffer
  try {
    cert = readFileSync(tlsCert)
    key = readFileSync(tlsKey)
  } catch (error) {
    return failedBy('certificate', error)
  }
  let certificate: X509Certificate
  try {
    certificate = new X509Certificate(cert)
  } catch (error) {
    return failed('certificate', `${tlsCert} is not a certificate in PEM: ${reasonOf(error)}`)
  }
  try {
    if (!certificate.checkPrivateKey(createPrivateKey(key))) {
      const advice = 'Name the key that the certificate was made for.'
      return failed('certificate', `${tlsKey} is not the key of ${tlsCert}`, advice)
    }
    createSecureContext({ cert, key })
  } catch (error) {
    return failed('certificate', `${tlsKey} is not a private key in PEM: ${reasonOf(error)}`)
  }
  return validity(certificate)
}

function validity(certificate: X509Certificate): Finding {
  const names = certificate.subjectAltName ?? certificate.subject.replaceAll('\n', ', ')
  const end = new Date(certificate.validTo)
  const days = Math.floor((end.getTime() - Date.now()) / day)
  const text = `${names}, valid until ${end.toISOString().slice(0, 10)}`
  const advice = 'Renew it. A running server reads it again on SIGHUP.'
  if (days < 0) return failed('certificate', `${text}, so it has expired`, advice)
  if (Date.parse(certificate.validFrom) > Date.now()) {
    return failed('certificate', `not valid before ${certificate.validFrom}`, 'Check the clock.')
  }
  const left = `${text} (${counted(days, 'day')})`
  return days < 14 ? warning('certificate', left, advice) : ok('certificate', left)
}
