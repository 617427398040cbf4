// What may be a name, of a user or of a room: the rule of the server.

export const NAME = '[A-Za-z0-9_.@\\-]{1,64}'
export const NAME_RULE = '1 to 64 letters, digits and _ . @ -'

export const isName = (text) => new RegExp(`^${NAME}$`).test(text)
