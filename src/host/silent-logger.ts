/**
 * libp2p's logger, silent. The default one formats what nobody reads: 16 % of the CPU and 24 % of the memory of a busy
 * host. What a person should know is logged by the files beside this one, through `Log`.
 */
import type { ComponentLogger, Logger } from '@libp2p/interface'

const silent: Logger = Object.assign(() => {}, {
  error: () => {},
  trace: () => {},
  enabled: false,
  newScope: () => silent,
})

export const silentLogger: ComponentLogger = { forComponent: () => silent }
