// The page: a form for a name, or the chat. What it shows are components; what they show, Vue keeps true.

import { createApp } from '/vue.js'
import { Login } from './login.js'

const isNamed = new URLSearchParams(location.search).has('user')
const page = isNamed ? (await import('./chat.js')).Chat : Login
createApp(page).mount('body')
