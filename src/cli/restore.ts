/** `pleach restore FILE`: a peer out of a backup, where there is none. */
import { resolve } from 'node:path'

import { defaultProfile, directoriesOf } from '../config/directories.ts'
import { ConfigError, exits } from '../config/error.ts'
import { defineCommand } from './command.ts'
import { profileOf } from './connect.ts'
import { count, shortPeer } from './format.ts'

export const command = defineCommand({
  usage: 'restore [flags] FILE',
  about: [
    'Puts back what pleach backup wrote, into a profile that has no key and no ledger yet: another one is named with --profile. All of it',
    'is verified before any of it is put in its place. The peer lends and signs nothing until its owner has said, with pleach up',
    '--only-one, that the other one is gone: two with one key cheat each other and their neighbours.',
  ],
  flags: {},
  takes: ['FILE'],
  async run(invocation) {
    const { terminal, positionals, env, signal } = invocation
    const { data: dataDir, configFile, socket } = directoriesOf(env, profileOf(invocation) ?? defaultProfile)
    const { lockProfile } = await import('../control/lock.ts')
    const attempt = lockProfile(dataDir, { pid: process.pid, startedMs: Date.now(), socket })
    if (!attempt.held)
      throw new ConfigError({
        code: 'PROFILE_LIVES',
        what: `a peer runs in ${dataDir}`,
        why: 'a backup is put where none is: it overwrites nothing',
        cure: 'pleach restore --profile another FILE',
        exit: exits.localResource,
      })
    try {
      const { restoreBackup } = await import('../node/restore.ts')
      const restored = await restoreBackup(resolve(positionals[0]!), { dataDir, configFile }, signal)
      if (terminal.json) await terminal.printJson({ v: 1, ...restored, dataDir })
      else {
        const { peer, receipts, madeMs } = restored
        terminal.note(
          `${count(receipts, 'receipt')}, as of ${new Date(madeMs).toISOString()}; make sure that the other one is gone, then: pleach up --only-one`,
        )
        await terminal.print(terminal.quiet ? peer : `${shortPeer(peer)}  ${dataDir}`)
      }
      return exits.ok
    } finally {
      attempt.lock.release()
    }
  },
})
