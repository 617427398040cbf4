// A short name for what is too long to be kept or compared.

import { createHash } from 'node:crypto'

/** Of all these together, in this order: 43 characters (SHA-256). */
export function digestOf(...texts: readonly (string | Uint8Array | undefined)[]): string {
  const hash = createHash('sha256')
  for (const text of texts.map((part) => part ?? ''))
    hash.update(`${Buffer.byteLength(text)}:`).update(text)
  return hash.digest('base64url')
}
