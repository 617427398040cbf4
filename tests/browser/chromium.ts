// How the tests, and the benchmark of the page, start a browser: the Chromium that the set-up finds, with
// nothing that leaves this machine.

import { spawnSync } from 'node:child_process'
import { join } from 'node:path'

const setup = join(import.meta.dirname, '..', 'setup.sh')

/** For `chromium.launch`. Without an `executablePath` there is no Chromium. */
export const options = {
  executablePath: spawnSync('bash', [setup, 'chromium'], { encoding: 'utf8' }).stdout?.trim(),
  chromiumSandbox: false,
  // `--headless`, `--no-sandbox` and a new profile come with `launch`.
  args: [
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
    // Nothing leaves this machine, whatever a page or the browser itself would like to load.
    '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1',
  ],
}

export const lacking = 'there is no Chromium: run npm run setup'
