/** A disk in memory that takes no time, of which a test can change any file. */
import { ModelDisk, type LifeFiles } from '../../sim/model/files.ts'
import { SeededRandom } from '../../sim/random.ts'

export class MemoryDisk {
  readonly disk = new ModelDisk(new SeededRandom(1))
  readonly files: LifeFiles

  constructor() {
    this.files = this.disk.files({
      isOver: false,
      after(_delayMs, run) {
        run()
        return () => {}
      },
    })
  }

  content(path: string): Uint8Array {
    const content = this.disk.content(path)
    if (content === undefined) throw new Error(`there is no ${path}`)
    return content
  }

  paths(below: string): string[] {
    return this.disk.paths(below)
  }

  /** Twice is never. */
  flip(path: string, bit: number): void {
    this.content(path)[bit >> 3]! ^= 1 << (bit & 7)
  }

  async replace(path: string, content: Uint8Array): Promise<void> {
    const file = await this.files.create(path, 'empty')
    await file.write(content, 0)
    await file.close()
  }
}
