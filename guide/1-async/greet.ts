// A sleeper that greets: it stands for whatever one waits for, a database or another server.

import { setTimeout as sleep } from 'node:timers/promises'
import { print } from '../lesson.ts'

export async function greet(name: string, seconds: number): Promise<string> {
  await sleep(seconds * 1_000) // nothing is busy meanwhile: Node does other things
  print(`Hello, ${name}!`)
  return name
}
