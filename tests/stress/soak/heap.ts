// Loaded into the server ahead of its program (`--expose-gc --import`): tells whoever asks over the
// channel how much memory is really in use, which is what is left after a collection.

process.on('message', () => {
  globalThis.gc?.()
  const { heapUsed, external, rss } = process.memoryUsage()
  process.send?.({ used: heapUsed + external, rss })
})
process.channel?.unref() // it keeps nothing alive
