// The guide as its reader has it: its pages, the commands in them with what they print, and its code.

import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { read } from '../quotes.ts'

export const LESSONS = ['1-async', '2-tasks', '3-websocket', '4-production', '5-next'] as const

const ROOT = join(import.meta.dirname, '..', '..')
const all = readdirSync(join(ROOT, 'guide'), { recursive: true, encoding: 'utf8' })
const own = all.filter((path) => !path.startsWith('node_modules'))

/** The files of the guide with this ending, by their paths from the project's folder. */
export const filesOf = (ending: string): string[] =>
  own.filter((path) => path.endsWith(ending)).map((path) => `guide/${path}`)

/** The pages, by their paths. */
export const pages = new Map(filesOf('.md').map((path) => [path, read(path)]))

export interface Command {
  /** Variables in front of it. */
  readonly env: NodeJS.ProcessEnv
  readonly file: string
  /** What the page says that it prints. */
  readonly output: string
}

/** The programs that the pages say to run, each with what it prints. */
export const commands: Command[] = [...pages.values()].flatMap((text) =>
  [...text.matchAll(/^```console\n\$ (.*?)node (\S+)\n([\s\S]*?)^```$/gm)].map(
    ([, variables, file, output]) => ({
      env: envOf(variables!),
      file: file!,
      output: output!,
    }),
  ),
)

function envOf(variables: string): NodeJS.ProcessEnv {
  return Object.fromEntries(variables.split(' ').flatMap((one) => (one ? [one.split('=')] : [])))
}

export interface Quote {
  readonly path: string
  readonly code: string
}

/** The code in the pages that says which file it is of. */
export const quotes: Quote[] = [...pages.values()].flatMap((text) =>
  [...text.matchAll(/^```(?:ts|js) (\S+)\n([\s\S]*?)^```$/gm)].map(([, path, code]) => ({
    path: path!,
    code: code!,
  })),
)
