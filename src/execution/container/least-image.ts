/**
 * The least image that there is, made here byte by byte: one static ELF file of some two hundred bytes. By it the probe
 * finds out what the engine can do, without a registry; and it stands guard over a task's folders while the program runs.
 *
 * The program is its own assembler's work (`as`, `aarch64-linux-gnu-as`), and does by its number of arguments:
 *
 *     none   exit(0)
 *     one    pause() for ever
 *     two    writes one byte to each page of 64 MiB, and exit(0): whoever has less than that is killed for it
 */
import { createHash } from 'node:crypto'

import { encodeEntry, paddingBytes, tarEnd } from '../tar-format.ts'

export const leastProgram = '/least'
export const hogBytes = 64 * 1_024 * 1_024

export type Architecture = 'amd64' | 'arm64'

const machines: Readonly<Record<Architecture, { readonly elf: number; readonly code: string }>> = {
  amd64: {
    elf: 0x3e,
    code:
      '8b0c2483f902740b7712b83c00000031ff0f05b8220000000f05ebf7' + 'b800008000b900400000c60001480500100000ffc975f3ebd5',
  },
  arm64: {
    elf: 0xb7,
    code:
      'e00340f91f0800f1a000005468010054000080d2a80b80d2010000d4' +
      '000080d2010080d2020080d2030080d2280980d2010000d4faffff17' +
      '0110a0d2020088d2230080522300003921044091420400f1a1ffff54efffff17',
  },
}

export interface LeastImage {
  /** As `docker save` writes it. */
  readonly archive: Uint8Array
  /** `sha256:…` of its configuration. */
  readonly digest: string
  readonly reference: string
}

export function leastImage(architecture: Architecture, reference: string): LeastImage {
  const program = leastElf(architecture)
  const layer = Buffer.concat([executable(program), tarEnd])
  const config = Buffer.from(
    JSON.stringify({
      architecture,
      os: 'linux',
      config: { Entrypoint: [leastProgram] },
      rootfs: { type: 'layers', diff_ids: [`sha256:${sha256Hex(layer)}`] },
    }),
  )
  const configName = `${sha256Hex(config)}.json`
  const manifest = Buffer.from(JSON.stringify([{ Config: configName, RepoTags: [reference], Layers: ['layer.tar'] }]))
  const archive = Buffer.concat([
    ...[
      { path: configName, bytes: config },
      { path: 'layer.tar', bytes: layer },
      { path: 'manifest.json', bytes: manifest },
    ].flatMap(({ path, bytes }) => [
      encodeEntry({ kind: 'file', path, bytes: bytes.byteLength }),
      bytes,
      new Uint8Array(paddingBytes(bytes.byteLength)),
    ]),
    tarEnd,
  ])
  return { archive, digest: `sha256:${sha256Hex(config)}`, reference }
}

/** One segment to read and run at 4 MiB, one to write at 8 MiB that the file holds nothing of. ELF-64 (gABI 4.1), little-endian. */
function leastElf(architecture: Architecture): Uint8Array {
  const { elf, code } = machines[architecture]
  const headerBytes = 64
  const segmentBytes = 56
  const codeAt = headerBytes + 2 * segmentBytes
  const bytes = Buffer.concat([Buffer.alloc(codeAt), Buffer.from(code, 'hex')])
  const textAddress = 0x40_0000n
  Buffer.from('7f454c46020101', 'hex').copy(bytes)
  bytes.writeUInt16LE(2, 16)
  bytes.writeUInt16LE(elf, 18)
  bytes.writeUInt32LE(1, 20)
  bytes.writeBigUInt64LE(textAddress + BigInt(codeAt), 24)
  bytes.writeBigUInt64LE(BigInt(headerBytes), 32)
  bytes.writeUInt16LE(headerBytes, 52)
  bytes.writeUInt16LE(segmentBytes, 54)
  bytes.writeUInt16LE(2, 56)
  const readAndRun = 5
  const readAndWrite = 6
  const segment = (at: number, flags: number, address: bigint, fileBytes: number, memoryBytes: number): void => {
    bytes.writeUInt32LE(1, at)
    bytes.writeUInt32LE(flags, at + 4)
    bytes.writeBigUInt64LE(address, at + 16)
    bytes.writeBigUInt64LE(address, at + 24)
    bytes.writeBigUInt64LE(BigInt(fileBytes), at + 32)
    bytes.writeBigUInt64LE(BigInt(memoryBytes), at + 40)
    bytes.writeBigUInt64LE(0x1_0000n, at + 48)
  }
  segment(headerBytes, readAndRun, textAddress, bytes.byteLength, bytes.byteLength)
  segment(headerBytes + segmentBytes, readAndWrite, 0x80_0000n, 0, hogBytes)
  return bytes
}

/** Our own headers are of plain files; this one may be run, and anybody may. */
function executable(program: Uint8Array): Uint8Array {
  const header = encodeEntry({ kind: 'file', path: leastProgram.slice(1), bytes: program.byteLength })
  // 0644 becomes 0755: three digits are higher, by one each, and with them the checksum by three.
  header.set(Buffer.from('0000755'), 100)
  const checksum = Number.parseInt(Buffer.from(header.subarray(148, 154)).toString('latin1'), 8) + 3
  header.set(Buffer.from(checksum.toString(8).padStart(6, '0')), 148)
  return Buffer.concat([header, program, new Uint8Array(paddingBytes(program.byteLength))])
}

function sha256Hex(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}
