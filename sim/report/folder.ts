/** The folder of a run: `record.json`, `metrics.jsonl`, `report.html`. */
import { mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { page } from './html.ts'
import { checkRecord, parseRecord, RecordError, type RunRecord } from './record.ts'

export const recordFile = 'record.json'
export const metricsFile = 'metrics.jsonl'
export const pageFile = 'report.html'

const recordBytesMax = 64 * 1024 * 1024

/** Made before a run begins: that it cannot be written should not be found out after an hour. */
export function makeFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true })
  } catch (error) {
    throw new RecordError(`${folder} is no folder, and cannot become one: ${(error as Error).message}`, {
      cause: error,
    })
  }
}

/** The record first, and the page from it. */
export function writeRun(folder: string, record: RunRecord): void {
  const checked = checkRecord(record, 'the record of this run')
  makeFolder(folder)
  replace(join(folder, recordFile), `${JSON.stringify(checked)}\n`)
  writePage(folder, checked)
}

export function writePage(folder: string, record: RunRecord): void {
  replace(join(folder, pageFile), page(record))
}

/** Throws a RecordError when there is none, or it is none. */
export function readRun(folder: string): RunRecord {
  const path = join(folder, recordFile)
  let bytes: number
  try {
    bytes = statSync(path).size
  } catch (error) {
    throw new RecordError(`${folder} has no ${recordFile}: it is no folder of a run`, { cause: error })
  }
  if (bytes > recordBytesMax)
    throw new RecordError(`${path} has ${bytes} bytes; a record has ${recordBytesMax} at most`)
  return parseRecord(readFileSync(path, 'utf8'), path)
}

/** Whoever reads it meanwhile sees the old one or the new one. */
function replace(path: string, text: string): void {
  writeFileSync(`${path}.new`, text)
  renameSync(`${path}.new`, path)
}
