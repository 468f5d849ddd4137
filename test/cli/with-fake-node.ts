/** Given to Node with --import: puts fake-node.ts where the commands look for src/node.ts. */
import { registerHooks } from 'node:module'

const instead = new URL('fake-node.ts', import.meta.url).href

registerHooks({
  resolve(specifier, context, next) {
    const isRoot = specifier === '../node.ts' && /\/src\/cli\/[a-z]+\.ts$/.test(context.parentURL ?? '')
    return isRoot ? { url: instead, shortCircuit: true } : next(specifier, context)
  },
})
