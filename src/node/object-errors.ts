/** What goes wrong with objects, as a person is told it: what is missing, and one cure. */
import { BadCarError } from '../../protocols/erasure/index.ts'
import { ControlError } from '../control/api.ts'
import { InconsistentObjectError, NotEnoughShardsError } from '../storage/fetch.ts'
import { ObjectNotFoundError } from '../storage/locate.ts'
import { RepairClaimedError } from '../storage/repair.ts'

/** The same error in a person's words, when it is one of storage's; else the error itself. */
export function toldOf(error: unknown, name: string, command: string): unknown {
  if (error instanceof NotEnoughShardsError)
    return new ControlError({
      code: 'NOT_ENOUGH_SHARDS',
      what: `${name} cannot be read now: ${error.need} shards are needed, ${error.have} can be had`,
      why: error.message,
      cure: `wait until more keepers are back, then: ${command}`,
      exit: 5,
    })
  if (error instanceof ObjectNotFoundError)
    return new ControlError({
      code: 'OBJECT_NOT_FOUND',
      what: `nobody who answers knows where ${name} is`,
      why: error.message,
      cure: `pleach peers   shows who is connected; then again: ${command}`,
      exit: 5,
    })
  if (error instanceof InconsistentObjectError)
    return new ControlError({
      code: 'OBJECT_INCONSISTENT',
      what: `${name} is not what its manifest says`,
      why: error.message,
      cure: 'ask whoever made it to put it again: no keeper is to blame',
      exit: 3,
    })
  if (error instanceof RepairClaimedError)
    return new ControlError({
      code: 'REPAIR_CLAIMED',
      what: `${name} is being repaired by another peer`,
      why: error.message,
      cure: 'pleach audit   shows when it is done',
      exit: 5,
    })
  if (error instanceof BadCarError)
    return new ControlError({
      code: `CAR_${error.flaw.toUpperCase()}`,
      what: `this file is not the whole CAR of an object; nothing of it was taken up`,
      why: error.message,
      cure: 'take another copy of the file: pleach export OBJECT -o FILE.car   makes one',
      exit: 3,
    })
  return error
}

export function carOfAnother(cid: string): ControlError {
  return new ControlError({
    code: 'CAR_OF_ANOTHER',
    what: 'the file and the string are of different objects',
    why: `the file has the object ${cid}`,
    cure: 'pleach import FILE.car pleach:read:…   with the string that pleach export printed with it',
    exit: 2,
  })
}

export function carDoesNotOpen(why: string): ControlError {
  return new ControlError({
    code: 'CAR_KEY',
    what: 'the key does not open what is in the file; nothing of it was taken up',
    why,
    cure: 'pleach import FILE.car pleach:read:…   with the string that pleach export printed with it',
    exit: 3,
  })
}

export function carWithoutKey(cid: string): ControlError {
  return new ControlError({
    code: 'CANNOT_READ',
    what: 'the key of this object is not known here',
    why: `the file has the object ${cid}, encrypted; its key is not in it`,
    cure: 'pleach import FILE.car pleach:read:…   with the string that pleach export printed with it',
    exit: 2,
  })
}

export function badCode(code: string): ControlError {
  return new ControlError({
    code: 'BAD_SPEC',
    what: `${code} is not an erasure code`,
    why: 'a code is K+M, or small, ship, keep, deep',
    cure: 'pleach put --code 4+2 FILE',
    exit: 2,
  })
}

export function ownCopyDamaged(name: string, why: string): ControlError {
  return new ControlError({
    code: 'OWN_COPY_DAMAGED',
    what: `what was sealed here of ${name} cannot be read any more`,
    why,
    cure: 'put it again: it is sealed anew',
    exit: 6,
  })
}

export function noKeepers(missing: number, shards: number, why: string): ControlError {
  return new ControlError({
    code: 'NO_KEEPERS',
    what: `${missing} of ${shards} shards found no keeper`,
    why,
    cure: 'pleach offers   shows who keeps data; put it again when there are more, and it goes on; or take fewer shards: --code 2+1',
    exit: 4,
  })
}

export function unknownObject(text: string, fitting: number): ControlError {
  return new ControlError({
    code: fitting > 1 ? 'AMBIGUOUS' : 'NOT_FOUND',
    what: fitting > 1 ? `${fitting} objects fit ${text}` : `${text} is no object of this peer`,
    why:
      fitting > 1
        ? 'an object is named by the beginning or the end of its id'
        : 'another peer’s object is named by the pleach:read:… string that pleach put printed there',
    cure: 'pleach ls',
    exit: 2,
  })
}

export function badString(): ControlError {
  return new ControlError({
    code: 'BAD_STRING',
    what: 'this is no string of an object',
    why: 'it is pleach:read:<id>:<key of 43 characters> or pleach:verify:<id>; perhaps a part of it is missing',
    cure: 'pleach key export OBJECT   prints it, at the peer that put the object',
    exit: 2,
  })
}

export function cannotRead(): ControlError {
  return new ControlError({
    code: 'CANNOT_READ',
    what: 'a pleach:verify:… string finds and repairs an object, and cannot read it',
    why: 'the key is not in it',
    cure: 'ask for the pleach:read:… string: pleach key export OBJECT, at the peer that put it',
    exit: 2,
  })
}
