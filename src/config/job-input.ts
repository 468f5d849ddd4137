/** `PATH[:GUEST]`: a file or folder, and where the program sees it. */
export interface InputPath {
  readonly path: string
  readonly guestPath?: string
}

/** A guest path begins with a slash; so a colon in a file's own name means nothing. */
export function parseInput(text: string): InputPath {
  const at = text.lastIndexOf(':/')
  return at <= 0 ? { path: text } : { path: text.slice(0, at), guestPath: text.slice(at + 1) }
}

/** `NAME@sha256:…` is an image in a registry; all else is the path of an archive. */
export function isImageReference(text: string): boolean {
  return /@sha256:[0-9a-f]+$/.test(text)
}

/** `tcp:PORT`, or `http:PORT/PATH`: what must answer. */
export function parseHealth(text: string): { readonly port: number; readonly path: string | null } | undefined {
  const [, kind, port, path = ''] = /^(tcp|http):(\d{1,5})(\/[\x21-\x7e]*)?$/.exec(text) ?? []
  if (kind === undefined || Number(port) < 1 || Number(port) > 65_535) return undefined
  if (kind === 'tcp') return path === '' ? { port: Number(port), path: null } : undefined
  return { port: Number(port), path: path === '' ? '/' : path }
}
