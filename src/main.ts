// The program `pleach`.
import './require-node.ts'

import { enableCompileCache } from 'node:module'
import { isAbsolute, join } from 'node:path'

import { collectForBulk, startForBulk } from './collector.ts'

// What runs for long and carries much. The others are over before it would matter.
if (process.argv.slice(2).some((word) => word === 'up' || word === 'devnet')) startForBulk()

// Types are stripped once, not at every start: half of the time that a short command takes. The cache is in a folder of
// this user's own; Node would take one in /tmp, which anyone may have filled.
const { HOME: home = '', XDG_CACHE_HOME: caches = '' } = process.env
const folder = isAbsolute(caches) ? caches : isAbsolute(home) ? join(home, '.cache') : undefined
if (folder !== undefined) enableCompileCache(join(folder, 'pleach', 'code'))

collectForBulk()
const { main } = await import('./cli/main.ts')
await main(process.argv.slice(2))
