#!/usr/bin/env node
// The command `pleach`. In syntax that an old Node can read, and importing nothing before it has looked: one that does
// not strip types cannot even load src/require-node.ts, which says the same.

const oldest = 24

if (Number.parseInt(process.versions.node, 10) < oldest) {
  process.stderr.write(
    `error: pleach needs Node ${oldest} or newer, and this is Node ${process.versions.node} (${process.execPath})\n` +
      '  why: it runs TypeScript as it is, and uses sqlite and streams that older ones lack\n' +
      '  cure: npm ci && npm run -s pleach -- --help     (brings a Node of its own; the system keeps its Node)\n',
  )
  process.exit(6)
}

// A checkout runs its sources, whatever may lie in dist/. The package as it is installed has dist/ alone.
void import('node:fs').then(({ existsSync }) => {
  const source = new URL('../src/main.ts', import.meta.url)
  return import(existsSync(source) ? source.href : new URL('../dist/src/main.js', import.meta.url).href)
})
