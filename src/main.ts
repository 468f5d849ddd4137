// The program `pleach`.
import './require-node.ts'

import { enableCompileCache } from 'node:module'
import { join } from 'node:path'

// Types are stripped once, not at every start: half of the time that a short command takes. The cache is in a folder of
// this user's own; Node would take one in /tmp, which anyone may have filled.
const caches = process.env['XDG_CACHE_HOME'] || (process.env['HOME'] && join(process.env['HOME'], '.cache'))
if (caches) enableCompileCache(join(caches, 'pleach', 'code'))

const { main } = await import('./cli/main.ts')
await main(process.argv.slice(2))
