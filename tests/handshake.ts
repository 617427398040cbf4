// A WebSocket handshake as bytes, with headers changed, added, or left out where undefined.

export const KEY = 'dGhlIHNhbXBsZSBub25jZQ=='

export function handshake(
  lines: Record<string, string | undefined> = {},
  start = 'GET /ws HTTP/1.1',
): string {
  const headers = {
    Host: 'localhost',
    Connection: 'Upgrade',
    Upgrade: 'websocket',
    'Sec-WebSocket-Key': KEY,
    'Sec-WebSocket-Version': '13',
    ...lines,
  }
  const fields = Object.entries(headers).filter(([, value]) => value !== undefined)
  return `${start}\r\n${fields.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`
}
