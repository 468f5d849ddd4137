// Imported first by whatever starts a peer, and importing nothing itself: an old Node must be told what is wrong before
// a module that it cannot load breaks with something less clear. A Node that does not strip types never comes this far;
// bin/pleach.js tells it the same.

const oldest = 24

if (Number.parseInt(process.versions.node, 10) < oldest) {
  process.stderr.write(
    `error: pleach needs Node ${oldest} or newer, and this is Node ${process.versions.node} (${process.execPath})\n` +
      '  why: it runs TypeScript as it is, and uses sqlite and streams that older ones lack\n' +
      '  cure: npm ci && npm run -s pleach -- --help     (brings a Node of its own; the system keeps its Node)\n',
  )
  process.exit(6)
}

export {}
