import { formatBytes, formatSeconds, Speedometer } from './figures.js'

const { Upload } = window.tus

const template = document.getElementById('upload')
const announcements = document.getElementById('announcements')

/** The texts of each state and of its buttons. Without `toggle` there is no such button. */
const states = {
  starting: { text: 'Starting', toggle: 'Pause', remove: 'Cancel' },
  uploading: { text: 'Uploading', toggle: 'Pause', remove: 'Cancel' },
  retrying: { text: 'Connection lost, trying again', toggle: 'Pause', remove: 'Cancel' },
  paused: { text: 'Paused', toggle: 'Resume', remove: 'Cancel' },
  failed: { text: 'Failed', toggle: 'Try again', remove: 'Cancel' },
  unfinished: {
    text: 'Unfinished: choose this file again',
    toggle: 'Choose file',
    remove: 'Cancel',
  },
  finished: { text: 'Finished', remove: 'Delete' },
  removing: { text: 'Removing' },
}

/** One upload: its place in the list, and the client behind it. */
export class Row {
  /** The URL of the upload, once the server has returned it. */
  url
  state
  #name
  #size
  #sent = 0
  #upload
  /**
   * Whether a request to create the upload is in progress. It cannot be taken back: the server may
   * already have received it.
   */
  #creating = false
  /** The state to return to when the removal fails. */
  #before
  #onRemove
  #speedometer = new Speedometer()
  #element = template.content.firstElementChild.cloneNode(true)

  /**
   * `onToggle` is called for the first button while there is no client, `onRemove` when the row is
   * gone.
   */
  constructor({ name, size, url }, { onToggle, onRemove }) {
    this.url = url
    this.#name = name
    this.#size = size
    this.#onRemove = onRemove
    this.#part('.name').textContent = name
    this.#part('progress').setAttribute('aria-label', `Progress of ${name}`)
    for (const subject of this.#element.querySelectorAll('.subject')) subject.textContent = name
    this.#part('.download').download = name
    this.#part('.toggle').addEventListener('click', () => {
      if (this.#upload === undefined) onToggle()
      else if (this.#wanted) this.pause()
      else this.resume()
    })
    this.#part('.remove').addEventListener('click', () => this.remove())
    this.#show('unfinished')
  }

  get element() {
    return this.#element
  }

  /** Whether the user wants the upload to continue. */
  get #wanted() {
    return ['starting', 'uploading', 'retrying'].includes(this.state)
  }

  /** Whether there is a client that has not failed. */
  get live() {
    return this.#upload !== undefined && this.state !== 'failed'
  }

  /** Options that make a client report to this row. */
  get callbacks() {
    return {
      onUploadUrlAvailable: () => {
        this.url = this.#upload.url
        this.#creating = false
        if (this.state === 'removing') void this.#terminate()
        else if (this.#wanted) this.#show('uploading')
        else void this.#upload.abort()
      },
      onProgress: (sent) => {
        if (!this.#wanted) return
        this.#speedometer.note(sent)
        if (this.state !== 'uploading' && this.url !== undefined) this.#show('uploading')
        this.progress(sent)
      },
      onShouldRetry: ({ originalResponse }) => {
        const status = originalResponse?.getStatus() ?? 0
        const worthwhile = status < 400 || status >= 500 || status === 409 || status === 423
        if (worthwhile && this.#wanted) this.#show('retrying')
        return worthwhile
      },
      onSuccess: () => {
        this.url = this.#upload.url
        this.#creating = false
        if (this.state !== 'removing') this.finish()
      },
      onError: (error) => {
        this.#creating = false
        if (this.state === 'removing') return this.#drop()
        if (this.#wanted) this.#show('failed', reason(error))
      },
    }
  }

  /** Starts or continues the upload with this client. */
  run(upload) {
    this.#upload = upload
    this.resume()
  }

  resume() {
    this.#speedometer.reset()
    this.#show('starting')
    if (this.#creating) return
    this.#creating = this.#upload.url === null
    this.#upload.start()
  }

  pause() {
    this.#show('paused')
    if (!this.#creating) void this.#upload.abort()
  }

  finish() {
    this.#part('.download').href = this.url
    this.#sent = this.#size
    this.#show('finished')
  }

  /** Cancels the upload, or deletes a finished one, on the server and in the list. */
  async remove() {
    this.#before = this.#wanted ? 'paused' : this.state
    this.#show('removing')
    if (!this.#creating) await this.#terminate()
  }

  async #terminate() {
    try {
      // This also ends the client's request and makes it forget the URL.
      if (this.#upload !== undefined) await this.#upload.abort(true)
      else await Upload.terminate(this.url, { retryDelays: [0, 1000] })
    } catch (error) {
      const status = error.originalResponse?.getStatus()
      // An upload that is already gone counts as removed.
      if (status !== 404 && status !== 410) return this.#show(this.#before, 'could not be removed')
    }
    this.#drop()
  }

  #drop() {
    announce(`${this.#name}: Removed`)
    this.#onRemove()
  }

  progress(sent) {
    this.#sent = sent
    this.refresh()
  }

  /** Updates the figures. The speed also falls while nothing happens. */
  refresh() {
    const share = this.#size === 0 ? 1 : this.#sent / this.#size
    this.#part('progress').value = share
    this.#part('.figures').textContent = this.#figures(share).join(' · ')
  }

  #figures(share) {
    if (this.state === 'finished') return [formatBytes(this.#size)]
    const figures = [`${formatBytes(this.#sent)} of ${formatBytes(this.#size)}`]
    figures.push(`${Math.floor(share * 100)} %`)
    if (this.state !== 'uploading') return figures
    const speed = this.#speedometer.read()
    figures.push(`${formatBytes(speed)}/s`)
    if (speed > 0) figures.push(`${formatSeconds((this.#size - this.#sent) / speed)} left`)
    return figures
  }

  #show(state, detail) {
    if (state === this.state) return
    const { text, toggle, remove } = states[state]
    const focused = document.activeElement
    this.state = state
    this.#element.dataset.state = state
    this.#part('.state').textContent = detail === undefined ? text : `${text}: ${detail}`
    name(this.#part('.toggle'), toggle)
    name(this.#part('.remove'), remove)
    this.#part('.download').hidden = state !== 'finished'
    this.refresh()
    // The focus would vanish with a button that disappears.
    if (this.#element.contains(focused) && focused.hidden) this.focus()
    if (state !== 'starting' && this.#element.isConnected) announce(`${this.#name}: ${text}`)
  }

  /** Moves the keyboard focus to this row. */
  focus() {
    const action = this.#part('.actions > :not([hidden])') ?? this.#element
    action.focus()
  }

  #part(selector) {
    return this.#element.querySelector(selector)
  }
}

function name(button, text) {
  button.hidden = text === undefined
  button.firstElementChild.textContent = text ?? ''
}

function reason({ originalRequest, originalResponse, message }) {
  if (originalResponse)
    return originalResponse.getBody() || `status ${originalResponse.getStatus()}`
  return originalRequest ? 'the server cannot be reached' : message
}

function announce(text) {
  announcements.textContent = text
}
