// Small helpers: elements, which take what comes from outside as text, never as markup; and times in
// words.

const LONG = 600 // characters: a longer text is folded
const MAX_LINES = 200 // of one log

/** The element with this id. Throws if the page has none of this type.
 * @template {Element} [T=HTMLElement] @param {string} id @param {new () => T} [type] */
export function byId(id, type = /** @type {any} */ (HTMLElement)) {
  const found = document.getElementById(id)
  if (found instanceof type) return found
  throw new Error(`expected a ${type.name} with the id "${id}"`)
}

/** A new element. Its text is given as a child.
 * @template {keyof HTMLElementTagNameMap} Tag @param {Tag} tag
 * @param {Partial<HTMLElementTagNameMap[Tag]>} [properties] @param {...(Node | string)} children
 * @returns {HTMLElementTagNameMap[Tag]} */
export function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties)
  made.append(...children)
  return made
}

/** Touches the page only where the text is another one. @param {Element} target @param {string} text */
export function setText(target, text) {
  if (target.textContent !== text) target.textContent = text
}

/** @param {string} id @param {string} text */
export const say = (id, text) => setText(byId(id), text)

/** A text of whatever length: of a long one the beginning, the whole behind it. @param {string} text */
export function foldable(text) {
  if (text.length <= LONG) return document.createTextNode(text)
  const beginning = `${text.slice(0, LONG / 2)} … (${text.length.toLocaleString('en')} characters)`
  return element('details', {}, element('summary', {}, beginning), text)
}

/** Adds a line to a log, which keeps the newest, and shows it unless somebody reads further up.
 * @param {HTMLElement} list @param {...(Node | string)} content */
export function addLine(list, ...content) {
  const isAtEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 40
  const line = element('li', {}, ...content)
  list.append(line)
  if (list.childElementCount > MAX_LINES) list.firstElementChild?.remove()
  if (isAtEnd) list.scrollTop = list.scrollHeight
  return line
}

/** What happens when a form is sent. @param {string} id @param {(submitter: string) => unknown} act */
export function onSubmit(id, act) {
  byId(id, HTMLFormElement).onsubmit = (event) => {
    event.preventDefault()
    act(event.submitter instanceof HTMLButtonElement ? event.submitter.value : '')
  }
}

/** @param {string} iso */
export function clock(iso) {
  return new Date(iso).toLocaleTimeString('en-GB')
}

/** A duration in words: `3 ms`, `5.02 s`. @param {number} milliseconds */
export function duration(milliseconds) {
  if (milliseconds < 999.5) return `${Math.max(0, Math.round(milliseconds))} ms`
  return `${(milliseconds / 1_000).toFixed(milliseconds < 99_995 ? 2 : 0)} s`
}

/** @param {unknown} error */
export function messageOf(error) {
  return error instanceof Error ? error.message : String(error)
}
