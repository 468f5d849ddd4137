/** Questions to processes of a bench, each of which answers one message with one. */
import type { ChildProcess, Serializable } from 'node:child_process'
import { once } from 'node:events'

export async function ask<Answer>(child: ChildProcess, question: Serializable): Promise<Answer> {
  child.send(question)
  const [answer] = (await once(child, 'message')) as [Answer]
  return answer
}

/** What they have had of the processors since they began, in milliseconds: each is asked `processor`. */
export async function processorMsOf(children: readonly ChildProcess[]): Promise<number> {
  let ms = 0
  for (const child of children) ms += (await ask<{ cpuMs: number }>(child, 'processor')).cpuMs
  return ms
}
