/**
 * The least image that there is, made here byte by byte: one static ELF file of some five hundred bytes. By it the probe
 * finds out what the engine can do, without a registry; it stands guard over a task's folders while the program runs, and it
 * is the way to the ports of a service.
 *
 * The program was assembled from least.md beside this file, and does by its number of arguments:
 *
 *     none   exit(0)
 *     one    pause() for ever
 *     two    writes one byte to each page of 64 MiB, and exit(0): whoever has less than that is killed for it
 *     three  connects to 127.0.0.1 at the port that the third names, and joins it with stdin and stdout, each way until its
 *            end; a byte on stderr says that it is connected; exit(1) when nobody listens
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
      '8b0c2483f902741383f903741783f904742b31ffb83c0000000f05b8220000000f05ebf7b800008000b900400000c6000148' +
      '0500100000ffc975f3ebd5488b74242031db0fb60685c0740c6bdb0a8d5c03d048ffc6ebedb829000000bf02000000be0100' +
      '000031d20f054189c486fbc1e31083cb024883ec10891c24c74424047f00000148c744240800000000b82a0000004489e748' +
      '89e6ba100000000f05bf0100000085c00f8868ffffffb801000000bf020000004889e6ba010000000f05b8390000000f0541' +
      '89c785c074224589e541be01000000e833000000b83e0000004489ffbe090000000f05e922ffffff4531ed4589e6e8140000' +
      '00b8300000004489e7be010000000f05e903ffffff31c04489efbe00008000ba000001000f0585c07e2189c3bd00008000b8' +
      '010000004489f789ee89da0f0585c07e0801c529c375e8ebcac3',
  },
  arm64: {
    elf: 0xb7,
    code:
      'e00340f91f0800f1000100541f0c00f1a00100541f1000f160020054000080d2a80b80d2010000d4000080d2010080d20200' +
      '80d2030080d2280980d2010000d4faffff170110a0d2020088d2230080522300003921044091420400f1a1ffff54efffff17' +
      'e11340f91300805244018052201440388000003400c000517302041bfcffff17400080d2210080d2020080d2c81880d20100' +
      '00d4f40300aa7306c05a733e105373021f32ff4300d1f30300b9e10f80520120a072e10700b9ff0700f9e00314aae1030091' +
      '020280d2681980d2010000d41f0000ea200080d224faff54400080d2e1030091220080d2080880d2010000d4200280d20100' +
      '80d2020080d2030080d2040080d2881b80d2010000d4f50300aa200100b4f60314aa370080d20e000094e00315aa210180d2' +
      '281080d2010000d4baffff17160080d2f70314aa06000094e00314aa210080d2481a80d2010000d4b2ffff17e00316aa0110' +
      'a0d22200a0d2e80780d2010000d41f0000f1cd010054f80300aa1910a0d2e00317aae10319aae20318aa080880d2010000d4' +
      '1f0000f1ad0000543903008b180300ebe1feff54edffff17c0035fd6',
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
