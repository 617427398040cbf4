// The tests of parts that need neither a server nor a process: all in this one process, since to start
// another takes longer than most of them. Each can be run alone as well.

import { readdir } from 'node:fs/promises'
import { join } from 'node:path'

for (const name of (await readdir(join(import.meta.dirname, 'parts'))).toSorted()) {
  await import(`./parts/${name}`)
}
