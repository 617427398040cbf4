// A task that takes a second, and tells the process that started its worker how it goes.

import { defineTask } from '../../tasks.ts'

export const long = defineTask('long', async (_: null, context) => {
  process.send?.('begins')
  await context.sleep(1_000)
  process.send?.('is done')
})
