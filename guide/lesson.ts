// What the lessons share, so that each of them shows one thing only.

import { readSettings, type Settings } from '../lib/config.ts'

/** Settings for a server that lives as long as its lesson: any free port, nothing on disk. */
export function settings(more: NodeJS.ProcessEnv = {}): Settings {
  return readSettings({ PORT: '0', JOURNAL: 'off', LOG_LEVEL: 'error', ...more })
}

let began: number | undefined

/** Prints a line, with the seconds since the first one. */
export function print(line: string): void {
  began ??= performance.now()
  console.log(`${((performance.now() - began) / 1_000).toFixed(1)} s  ${line}`)
}

/** Where the server at this URL has its WebSockets. */
export function socketUrl(url: string): string {
  return `${url.replace('http', 'ws')}/ws`
}

/** Sends JSON, as a page or another program would. */
export function post(url: string, body: unknown = {}, headers = {}): Promise<Response> {
  return fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  })
}
