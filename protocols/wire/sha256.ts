/** SHA-256, the one hash of pleach. By itself, because worker threads load it, and should load little. */
import { hash } from 'node:crypto'

export const hashBytes = 32

export function sha256(bytes: Uint8Array): Uint8Array {
  // As text first: a Buffer of its own for the digest costs more than the hashing of a statement (0.5 µs against 1.3).
  const text = hash('sha256', bytes, 'binary')
  const digest = new Uint8Array(hashBytes)
  for (let at = 0; at < hashBytes; at++) digest[at] = text.charCodeAt(at)
  return digest
}
