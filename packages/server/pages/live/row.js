import { formatBytes, formatTime } from './figures.js'

const template = document.getElementById('upload')

const states = {
  receiving: 'Receiving',
  stalled: 'Stalled: its client sends nothing',
  working: 'Working: finishing, or running hooks',
  waiting: 'Waiting for the lock',
  idle: 'Idle: no request works on it',
}

/** One upload. Names come from clients, so everything is set as text. */
export class Row {
  #element = template.content.firstElementChild.cloneNode(true)
  #shown = new Map()

  get element() {
    return this.#element
  }

  show({ id, name = id, offset = 0, length, bytesPerSecond, ...upload }) {
    const { state, age, quiet, holder, errors } = upload
    this.#element.dataset.state = state
    this.#text('.name', name)
    this.#text('.id', name === id ? '' : id)
    this.#progress(name, offset, length)
    this.#text('.state', states[state])
    const percent = length > 0 && ` · ${Math.floor((100 * offset) / length)} %`
    const size = length === undefined ? ' of an unknown size' : ` of ${formatBytes(length)}`
    const speed = state === 'idle' ? '' : ` · ${formatBytes(bytesPerSecond)}/s`
    this.#text('.figures', `${formatBytes(offset)}${size}${percent || ''}${speed}`)
    this.#text('.age', age === undefined ? 'not known' : `${formatTime(age)} ago`)
    this.#text('.lock', lockText(state, holder, quiet))
    this.#text(
      '.errors',
      errors.map(({ code, count }) => (count > 1 ? `${code} × ${count}` : code)).join(', '),
    )
  }

  #progress(name, offset, length) {
    const bar = this.#element.querySelector('progress')
    if (length === undefined) bar.removeAttribute('value')
    else bar.value = length === 0 ? 1 : offset / length
    const label = `Progress of ${name}`
    if (bar.getAttribute('aria-label') !== label) bar.setAttribute('aria-label', label)
  }

  /** Changes the page only where the text differs, so that a selection survives. */
  #text(selector, text) {
    if (this.#shown.get(selector) === text) return
    this.#shown.set(selector, text)
    const element = this.#element.querySelector(selector)
    element.textContent = text
    const line = element.closest('div')
    if (line) line.hidden = text === ''
    else element.hidden = text === ''
  }
}

function lockText(state, holder, quiet) {
  if (holder !== undefined) return `worker ${holder.worker} for ${formatTime(holder.for)}`
  if (state === 'idle') return `not held, quiet for ${formatTime(quiet)}`
  return 'held elsewhere'
}
