// One owner for a file, in a way that the kernel undoes when the owner dies: a Unix socket beside the
// file. Whoever can connect to it has found a living owner. (A pid in a file says nothing: containers
// give the same ones out again.)
//
// Each process listens on a name of its own, then looks who else does. So no name is ever used twice,
// and what does not answer can be removed without a race. Of two that start together both may give up.

import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readdir, rm } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { basename, dirname, join, relative } from 'node:path'

const MAX_PATH_BYTES = 103 // of a Unix socket: the least of the systems that Node runs on

/** Resolves to what gives the file back. Rejects if another process has it. */
export async function lock(file: string): Promise<() => Promise<void>> {
  const prefix = `${basename(file)}.owner-`
  const isOwner = (name: string) => name.startsWith(prefix) && /-[0-9a-f]{8}$/.test(name)
  const mine = prefix + randomBytes(4).toString('hex')
  const server = createServer((socket) => socket.destroy()).unref()
  server.listen(socketPath(join(dirname(file), mine)))
  await once(server, 'listening')
  const release = () => new Promise<void>((resolve) => server.close(() => resolve()))
  try {
    for (const name of await readdir(dirname(file))) {
      if (isOwner(name) && name !== mine) await removeDead(join(dirname(file), name))
    }
    return release
  } catch (error) {
    await release()
    throw error
  }
}

async function removeDead(owner: string): Promise<void> {
  const socket = connect(socketPath(owner))
  try {
    await once(socket, 'connect')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ECONNREFUSED') return await rm(owner, { force: true })
    if (code === 'ENOENT') return // it has just gone
    throw error
  } finally {
    socket.destroy()
  }
  throw new Error(`another process has the journal: ${owner} answers`)
}

function socketPath(path: string): string {
  const fromHere = `./${relative('.', path)}`
  const shorter = fromHere.length < path.length ? fromHere : path
  if (Buffer.byteLength(shorter) <= MAX_PATH_BYTES) return shorter
  throw new Error(`expected a path of at most ${MAX_PATH_BYTES} bytes, got ${path}`)
}
