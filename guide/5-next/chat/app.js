// The page: a form for a name, or the chat. What it shows are components, which Vue keeps true.

import { createApp } from '/vue.js'
import { Login } from './login.js'
import { isName } from './name.js'

const user = new URLSearchParams(location.search).get('user') ?? ''
// Only now, since to import the chat is to connect.
const page = isName(user) ? (await import('./chat.js')).Chat : Login
createApp(page).mount('#app')
