// Requests as bytes: for inputs that no HTTP client would send.

export const TYPE = 'Content-Type: application/json'

/** A request with these lines, on a connection that ends with it. */
export const request = (start: string, ...lines: string[]) =>
  `${[start, 'Host: localhost', 'Connection: close', ...lines].join('\r\n')}\r\n\r\n`

export const processing = (body: string, ...lines: string[]) =>
  `${request('POST /process HTTP/1.1', `Content-Length: ${body.length}`, ...lines)}${body}`

export const chunked = (...chunks: string[]) =>
  request('POST /process HTTP/1.1', 'Transfer-Encoding: chunked', TYPE) +
  chunks.map((chunk) => `${chunk.length.toString(16)}\r\n${chunk}\r\n`).join('')

export const headers = (count: number) => Array.from({ length: count }, (_, i) => `x${i}: 1`)
