// Names of users, rooms and task definitions: one rule for all of them, wherever they come in.

const NAME = /^[A-Za-z0-9._@-]{1,64}$/

export const NAME_RULE = '1 to 64 of A–Z a–z 0–9 . _ @ -'

export function isName(text: string): boolean {
  return NAME.test(text)
}
