/** What an honest peer's directory says of an honest peer, that peer has said: no forged record, no number that it never used. */
import { capabilityNamespace } from '../../protocols/capability/index.ts'
import { honest, type Checker } from './checker.ts'

export const recordsAreTrue: Checker = {
  name: 'records-are-true',
  atEnd(world) {
    const wrong: string[] = []
    for (const peer of honest(world)) {
      for (const { peer: name, capability } of peer.index.heard()) {
        const other = world.peerOf(name)
        const highest = world.accepted.get(`${peer.number} ${capabilityNamespace}/${name}`) ?? 0
        if (capability.sequence < highest)
          wrong.push(
            `peer ${peer.number} went back from record ${highest} of ${world.numberOf(name)} to ${capability.sequence}`,
          )
        if (other === undefined) wrong.push(`peer ${peer.number} knows of a peer that there is not`)
        else if (other.vice === null && capability.sequence > other.disk.sequence)
          wrong.push(`peer ${peer.number} has record ${capability.sequence} of peer ${other.number}, which made none`)
      }
    }
    for (const [name, sequence] of world.accepted) {
      const [number, key] = name.split(' ')
      const by = world.peerOf(key!.slice(key!.indexOf('/') + 1))
      if (world.peers[Number(number)]?.vice === null && by?.vice === null && sequence > by.disk.sequence)
        wrong.push(`peer ${number} took record ${sequence} of peer ${by.number}, which made none`)
    }
    return wrong
  },
}
