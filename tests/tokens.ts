// Servers that ask for a token, and the tokens for them.

import type { App } from '../server.ts'
import { type Scope, startApp } from './helpers.ts'
import { SECRET } from './secret.ts'

export * from './secret.ts'

/** A server on which everybody has to prove who they are. */
export const startGuarded = (
  t: Scope,
  env: NodeJS.ProcessEnv = {},
  additions: Parameters<typeof startApp>[2] = {},
): Promise<App> => startApp(t, { AUTH_SECRET: SECRET, ...env }, additions)
