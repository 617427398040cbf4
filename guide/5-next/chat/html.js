// What a component shows is written as HTML: `htm` reads it, and calls Vue's `h` for each element.

import htm from '/htm.js'
import { h } from '/vue.js'

export const html = htm.bind(h)
