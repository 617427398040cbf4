// What a task has returned, to be put into the page: a picture, or a text.

import { element, foldable } from './dom.js'

/** @param {Session} session @param {string} id @returns {Promise<HTMLElement>} */
export async function resultOf(session, id) {
  const { isOk, data, problem } = await session.fetch('GET', `/tasks/${id}/result`)
  if (!isOk) return element('p', { className: 'problem' }, problem)
  if (data === null) return element('p', {}, 'It returned nothing.')
  if (!(data instanceof Blob)) return element('p', {}, foldable(JSON.stringify(data)))
  if (!data.type.startsWith('image/')) return element('p', {}, foldable(await data.text()))
  const picture = element('img', {
    src: URL.createObjectURL(data),
    alt: `The picture that task ${id} drew`,
  })
  await picture.decode().catch(() => {}) // a broken one shows its text
  URL.revokeObjectURL(picture.src)
  return picture
}
