/**
 * The least image that there is, made here byte by byte: one static ELF file of some eight hundred bytes. By it the probe
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
 *     four   keeps watch as the first process of a namespace of processes, and exit(0), with which the kernel ends all others in it,
 *            when no SIGUSR1 came for as many seconds as the third says. SIGUSR2 ends all others, and so does the time that the
 *            fourth says, in seconds. Signals from inside the namespace count for nothing; whoever is orphaned there is collected
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
      '8b0c2483f902741c83f903742083f904743483f9050f843901000031ffb83c0000000f05b8220000000f05ebf7b800008000' +
      'b900400000c60001480500100000ffc975f3ebd5488b742420e8ef000000b829000000bf02000000be0100000031d20f0541' +
      '89c486fbc1e31083cb024883ec10891c24c74424047f00000148c744240800000000b82a0000004489e74889e6ba10000000' +
      '0f05bf0100000085c00f8878ffffffb801000000bf020000004889e6ba010000000f05b8390000000f054189c785c0742245' +
      '89e541be01000000e833000000b83e0000004489ffbe090000000f05e932ffffff4531ed4589e6e814000000b83000000044' +
      '89e7be010000000f05e913ffffff31c04489efbe00008000ba000001000f0585c07e2189c3bd00008000b8010000004489f7' +
      '89ee89da0f0585c07e0801c529c375e8ebcac331db0fb60685c074f66bdb0a8d5c03d048ffc6ebedb8270000000f0583f801' +
      '0f85b7feffff488b742420e8d1ffffff4189dc488b742428e8c4ffffff4189dd4881ecc000000031c0b9180000004889e7f3' +
      '48ab48c7042401000000b80d000000bf110000004889e631d241ba080000000f0548c70424000a0000b80e00000031ff4889' +
      'e631d241ba080000000f05e8800000004901dd4e8d3423e8740000004c39f30f8334feffff4c39eb734a48c7442408010000' +
      '0048c744241000000000b8800000004889e7488d742420488d54240841ba080000000f0585c07ebd8b4c24280b4c243075b3' +
      '83f80a7512e8220000004e8d3423eba349c7c5ffffffffb83e00000048c7c7ffffffffbe090000000f05eb87b8e4000000bf' +
      '01000000488d7424100f05488b5c2410c3',
  },
  arm64: {
    elf: 0xb7,
    code:
      'e00340f91f0800f1400100541f0c00f1e00100541f1000f1a00200541f1400f1c00c0054000080d2a80b80d2010000d40000' +
      '80d2010080d2020080d2030080d2280980d2010000d4faffff170110a0d2020088d2230080522300003921044091420400f1' +
      'a1ffff54efffff17e11340f94b000094400080d2210080d2020080d2c81880d2010000d4f40300aa7306c05a733e10537302' +
      '1f32ff4300d1f30300b9e10f80520120a072e10700b9ff0700f9e00314aae1030091020280d2681980d2010000d41f0000ea' +
      '200080d2e4faff54400080d2e1030091220080d2080880d2010000d4200280d2010080d2020080d2030080d2040080d2881b' +
      '80d2010000d4f50300aa200100b4f60314aa370080d20e000094e00315aa210180d2281080d2010000d4c0ffff17160080d2' +
      'f70314aa06000094e00314aa210080d2481a80d2010000d4b8ffff17e00316aa0110a0d22200a0d2e80780d2010000d41f00' +
      '00f1cd010054f80300aa1910a0d2e00317aae10319aae20318aa080880d2010000d41f0000f1ad0000543903008b180300eb' +
      'e1feff54edffff17c0035fd613008052440180522014403880ffff3400c000517302041bfcffff17881580d2010000d41f04' +
      '00f101f3ff54e11340f9f4ffff97f403132ae11740f9f1ffff97f503132aff0303d1200080d2e07f00a9ff7f01a9200280d2' +
      'e1030091020080d2030180d2c81080d2010000d4004081d2e00300f9000080d2e1030091020080d2030180d2e81080d20100' +
      '00d421000094b502138b7602148b1e0000947f0216eb42efff547f0215eb82020054200080d2e0ff00a9e0030091e1830091' +
      'e2230091030180d2281180d2010000d41f0000f14dfeff54e12b40b9e23340b92100022ac1fdff351f2800f1a10000540900' +
      '00947602148be9ffff171500809200008092210180d2281080d2010000d4e3ffff17200080d2e1430091280e80d2010000d4' +
      'f30b40f9c0035fd6',
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
  const layer = Buffer.concat([executableEntry(leastProgram.slice(1), program), tarEnd])
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

/**
 * Our own headers are of plain files; this one may be run by anybody and read by nobody. What cannot be read cannot be traced
 * (ptrace(2), "dumpable"): a program that shares the guard's namespace, and its user, cannot get into it.
 */
export function executableEntry(path: string, program: Uint8Array): Uint8Array {
  const header = encodeEntry({ kind: 'file', path, bytes: program.byteLength })
  // 0644 becomes 0111: the digits, and with them the checksum, are lower by eleven.
  header.set(Buffer.from('0000111'), 100)
  const checksum = Number.parseInt(Buffer.from(header.subarray(148, 154)).toString('latin1'), 8) - 11
  header.set(Buffer.from(checksum.toString(8).padStart(6, '0')), 148)
  return Buffer.concat([header, program, new Uint8Array(paddingBytes(program.byteLength))])
}

function sha256Hex(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}
