/** Ctrl-C, and what else asks a command to end. */

/** Said of whoever was interrupted, by the shell too. */
export const interruptedCode = 130
/** A terminal tells a process and its parent, and the parent passes it on: what comes so soon after is the same. */
const sameWithinMs = 300

/**
 * The first signal is told; whoever asks twice does not want to wait, and the process ends at once. It stays so until
 * the process has ended: whoever asks while the last things are written down is heard too.
 */
export function onInterrupt(first: (signal: NodeJS.Signals) => void): void {
  let firstMs: number | undefined
  const take = (signal: NodeJS.Signals): void => {
    if (firstMs === undefined) {
      firstMs = performance.now()
      first(signal)
    } else if (performance.now() - firstMs > sameWithinMs) process.exit(interruptedCode)
  }
  const orphaned = (): void => take('SIGTERM')
  process.on('SIGINT', take).on('SIGTERM', take).on('disconnect', orphaned)
  // To be told when the parent has gone is no reason to stay.
  process.channel?.unref()
}
