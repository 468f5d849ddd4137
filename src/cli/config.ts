/** `pleach config show [--origin]`: every setting, what it comes to, and who said so. */
import { measureMachine } from '../config/capacity.ts'
import { realClock } from '../environment.ts'
import { readConfigFile } from '../config/config-file.ts'
import { defaultProfile, directoriesOf } from '../config/directories.ts'
import { exits } from '../config/error.ts'
import { describeSettings, gatherSettings } from '../config/resolve.ts'
import { defineCommand } from './command.ts'
import { profileOf } from './connect.ts'
import { safe } from './escape.ts'
import { usage } from './problem.ts'
import { table } from './table.ts'

export const command = defineCommand({
  usage: 'config show [--origin]',
  about: ['Every setting of a peer: flags of pleach up come before PLEACH_* variables, and these before config.yaml.'],
  flags: { origin: { type: 'switch', about: 'where each value comes from' } },
  takes: ['show'],
  async run(invocation) {
    const { terminal, positionals, flags, env } = invocation
    if (positionals[0] !== 'show')
      throw usage(`pleach config ${positionals[0]} is not known`, 'there is show', 'pleach config show')
    const directories = directoriesOf(env, profileOf(invocation) ?? defaultProfile)
    const file = await readConfigFile(directories.configFile)
    const said = gatherSettings({ flags: {}, env, file })
    const settings = describeSettings(said, await measureMachine(directories.data, realClock.nowMs()), directories)
    const { configFile, data, socket } = directories
    const withoutEffect = file?.withoutEffect ?? []
    if (terminal.json) await terminal.printJson({ v: 1, settings, withoutEffect, configFile, data, socket })
    else {
      const columns = flags.origin ? ['SETTING', 'VALUE', 'ORIGIN'] : ['SETTING', 'VALUE']
      const rows = settings.map(({ name, value, origin }) => [name, safe(value, 400), origin].slice(0, columns.length))
      await terminal.print(...table(columns, rows))
      for (const key of withoutEffect) terminal.note(`${safe(key)} has no effect here`)
      terminal.note(`data in ${data}, settings in ${configFile}${file === undefined ? ' (no such file)' : ''}`)
    }
    return exits.ok
  },
})
