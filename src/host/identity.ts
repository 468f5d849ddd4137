/**
 * Who this peer is: one Ed25519 key in one file.
 *
 * The file holds libp2p's protobuf of the private key (68 bytes: type, 32 bytes of seed, 32 of public key), which other
 * libp2p programs read too. The public half is a check of the first: a file with a flipped bit is refused, and never
 * written over.
 */
import { constants } from 'node:fs'
import { link, mkdir, open, unlink } from 'node:fs/promises'
import { dirname } from 'node:path'

import { privateKeyFromProtobuf } from '@libp2p/crypto/keys'
import type { Ed25519PrivateKey } from '@libp2p/interface'

import type { Signer } from '../../protocols/wire/envelope.ts'
import type { PeerName } from '../../protocols/wire/peer.ts'
import type { Random } from '../environment.ts'
import { HostError } from './errors.ts'
import { createSigner, seedBytes } from './signer.ts'

export interface Identity {
  readonly peer: PeerName
  readonly signer: Signer
  /** For libp2p, which signs its handshakes itself. */
  readonly privateKey: Ed25519PrivateKey
}

export interface OpenedIdentity extends Identity {
  /** Whether the key was made just now. */
  readonly fresh: boolean
}

/** `PrivateKey { Type: Ed25519 = 1, Data: 64 bytes }`. */
const keyFilePrefix = Uint8Array.of(0x08, 0x01, 0x12, 0x40)
const keyFileBytes = 68
const directoryMode = 0o700
const fileMode = 0o600
const othersMask = 0o077

/** The identity in the file at `path`, made there when there is none. Throws HostError KEY_EXPOSED, KEY_DAMAGED or KEY_UNUSABLE. */
export async function openIdentity(path: string, random: Random): Promise<OpenedIdentity> {
  const found = await readKeyFile(path)
  if (found !== undefined) return { ...identityFromBytes(found, path), fresh: false }
  const made = encodeKey(random.bytes(seedBytes))
  if (await placeKeyFile(path, made, random)) return { ...identityFromBytes(made, path), fresh: true }
  // Another process made one since we looked: that one is it.
  return openIdentity(path, random)
}

/** An identity that lives in memory only: for tests, simulations and `createPeer()` without a place to keep a key. */
export function identityFromSeed(seed: Uint8Array): Identity {
  return identityFromBytes(encodeKey(seed), 'memory')
}

function encodeKey(seed: Uint8Array): Uint8Array {
  const { publicKey } = createSigner(seed)
  return Buffer.concat([keyFilePrefix, seed, publicKey])
}

function identityFromBytes(bytes: Uint8Array, path: string): Identity {
  const whole = bytes.byteLength === keyFileBytes && keyFilePrefix.every((byte, index) => bytes[index] === byte)
  const seed = bytes.subarray(keyFilePrefix.byteLength, keyFilePrefix.byteLength + seedBytes)
  if (!whole || !Buffer.from(bytes).equals(encodeKey(seed))) {
    throw new HostError(
      'KEY_DAMAGED',
      `the key file ${path} is damaged: ${bytes.byteLength} bytes that are not an Ed25519 key`,
      `restore ${path} from a backup, or move it away to begin with a new identity`,
      { path, bytes: bytes.byteLength },
    )
  }
  const signer = createSigner(seed)
  return { peer: signer.peer, signer, privateKey: privateKeyFromProtobuf(bytes) as Ed25519PrivateKey }
}

/** The bytes of the file, cut one past the length of a key; undefined when there is no file. */
async function readKeyFile(path: string): Promise<Uint8Array | undefined> {
  let file
  try {
    file = await open(path, constants.O_RDONLY)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw unusable(path, error)
  }
  try {
    // Asked of the open file, so that what is judged is what is read.
    const { mode } = await file.stat()
    if ((mode & othersMask) !== 0) {
      const octal = (mode & 0o777).toString(8).padStart(4, '0')
      throw new HostError(
        'KEY_EXPOSED',
        `the key file ${path} can be read or written by others (mode ${octal}): whoever has it is this peer`,
        `chmod 600 ${path}`,
        { path, mode: octal },
      )
    }
    const buffer = new Uint8Array(keyFileBytes + 1)
    const { bytesRead } = await file.read(buffer, 0, buffer.byteLength, 0)
    return buffer.slice(0, bytesRead)
  } catch (error) {
    throw error instanceof HostError ? error : unusable(path, error)
  } finally {
    await file.close()
  }
}

/** Puts the file in its place, whole and durable, unless one is there already. Returns whether it was placed. */
async function placeKeyFile(path: string, bytes: Uint8Array, random: Random): Promise<boolean> {
  const directory = dirname(path)
  const fresh = `${path}.${Buffer.from(random.bytes(6)).toString('hex')}.new`
  try {
    await mkdir(directory, { recursive: true, mode: directoryMode })
    const file = await open(fresh, 'wx', fileMode)
    try {
      await file.writeFile(bytes)
      await file.sync()
    } finally {
      await file.close()
    }
    try {
      // A rename would replace a key that another process put there meanwhile; a link does not.
      await link(fresh, path)
    } finally {
      await unlink(fresh)
    }
    const place = await open(directory, constants.O_RDONLY)
    try {
      await place.sync()
    } finally {
      await place.close()
    }
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw unusable(path, error)
  }
}

function unusable(path: string, error: unknown): HostError {
  const code = (error as NodeJS.ErrnoException).code ?? 'unknown'
  return new HostError(
    'KEY_UNUSABLE',
    `the key file ${path} cannot be used: ${(error as Error).message}`,
    `let this user read and write ${dirname(path)}, or choose another data folder`,
    { path, cause: code },
    error,
  )
}
