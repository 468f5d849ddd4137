/** Codes of errors: of command lines, of files, of this machine, of objects, of the peer that is asked. */
import type { Row } from './codes.ts'

const bug = 'report it with the lines above'

export const errorCodes: Readonly<Record<string, Row>> = {
  // Of a program that embeds a peer.
  NOT_DONE: ['the job is not known to be done', 'results are known once they were waited for', 'await job.done'],
  NO_RECEIPT: ['there is no receipt of it', 'nothing was done yet, or nobody signed', 'pleach receipts'],
  NO_CONTAINER_RUNTIME: [
    'the image cannot be run there',
    'that provider has no container engine',
    'pleach offers --runtime oci',
  ],

  // What was typed or written.
  USAGE: ['the command line is not understood', 'a command, a flag or a value is not one', 'pleach COMMAND --help'],
  BAD_CONFIG: [
    'a setting cannot be used',
    'a flag, a PLEACH_ variable or a line of config.yaml',
    'pleach config show --origin',
  ],
  BAD_PROFILE: ['a profile cannot have that name', 'it is a folder: small letters, digits, - and _', '--profile work'],
  BAD_JOB_FILE: ['the file does not describe a job', 'a key or a value is not one', 'pleach run --help'],
  BAD_SPEC: ['the request is not understood', 'a field is missing, misspelt or out of bounds', 'pleach run --help'],
  BAD_JSON: ['the request is not JSON', 'the control interface takes one object', 'send one JSON object'],
  BAD_STRING: ['this is no string of an object', 'a part of pleach:read:… is missing', 'pleach key export OBJECT'],
  AMBIGUOUS: ['more than one fits', 'the beginning of an id that was given is too short', 'give more of it'],
  NO_SUCH_FILE: ['a file cannot be read', 'it is not there, or this user may not read it', 'ls -l FILE'],
  PATH_UNUSABLE: [
    'a path cannot be used',
    'something is there, or nothing where something must be',
    'choose another path',
  ],
  OUT_UNUSABLE: ['the folder for outputs cannot be used', 'it is no folder, or not to be read', '--out NEW-FOLDER'],
  OUT_NOT_EMPTY: ['the folder for outputs is not empty', 'outputs overwrite nothing', '--out NEW-FOLDER'],
  TOO_LARGE: ['the file is too large for this code', 'a shard has a longest length', 'pleach put --code deep FILE'],
  ADDRESS_INVALID: [
    'this is no address of a peer',
    'it is /ip4/…/tcp/…/p2p/12D3KooW…',
    'pleach status   at that peer prints it',
  ],
  NETWORK_INVALID: ['a network cannot have that name', 'small letters, digits and -', '--network main'],

  PORT_TAKEN: ['a local port cannot be had', 'another program listens there', 'pleach forward JOB 0:80'],
  AT_WORK: ['the job cannot be run again yet', 'it is at work', 'pleach cancel JOB'],
  NOT_OURS: ['the job cannot be run again', 'it is work for another peer, who asked for it', 'pleach jobs'],
  INPUTS_GONE: ['the job cannot be run again', 'what it read is kept here for two hours', 'pleach run'],
  NOT_RUNNING: ['the job cannot be connected to', 'it is not at work, or not ours', 'pleach jobs'],

  // Of the peer that is asked.
  NO_PEER: ['no peer is running', 'nobody answers on the control socket', 'pleach up'],
  NOT_YOUR_PEER: ['the peer belongs to another user', 'whoever can use its socket is its owner', 'pleach up'],
  NOT_READY: ['the peer is starting', 'it has not joined its network yet', 'pleach status'],
  PEER_STOPPING: ['the peer is stopping', 'it was asked to', 'pleach up'],
  PEER_GONE: ['the peer went away in the middle of it', 'it was stopped, or broke off', 'pleach up; jobs go on'],
  BAD_ANSWER: ['the answer of the peer is not understood', 'it is of another version', 'pleach --version'],
  NO_ROUTE: [
    'the control interface has no such path',
    'it is misspelt, or of another version',
    'src/control/api.ts lists them',
  ],
  NO_METHOD: ['the path takes another method', 'GET asks, POST changes', 'src/control/api.ts lists them'],
  BODY_TOO_LARGE: ['the request is too long', 'it may have 1 MiB', 'name files instead of sending them'],
  TIMEOUT: ['no answer in time', 'a peer is gone, or the way to it is', 'pleach peers'],
  UNREACHABLE: [
    'nobody answers at that address',
    'it is not up, or behind a NAT without a forwarded port',
    'pleach status   at that peer',
  ],
  TOO_MANY_JOBS: ['too many jobs are open', 'each of them is watched', 'pleach jobs'],
  FAULT: ['pleach failed', 'this is a mistake in it', bug],
  DEVNET_RUNNING: ['a devnet is running already', 'plain commands can find only one', 'stop the other'],
  BAD_RECEIPT_FILE: [
    'this is no file of receipts',
    'a key is missing, not known, or of another kind than in such files',
    'pleach receipt export ID -o FILE   makes one',
  ],
  CLAIM_DIFFERS: [
    'a credential says what was not signed',
    'its claims are made anew from the receipts inside it, and this one is another',
    'believe nothing that it says',
  ],
  NOT_VERIFIED: ['the receipts do not hold', 'a signature, a sum or a link is wrong', 'believe nothing that they say'],
  OVER_BUDGET: ['it would cost more than was allowed', 'the limit is --max-cost', 'allow more: --max-cost 2'],

  // Of this machine.
  PORT_IN_USE: ['the port is used by another program', 'two cannot listen on one port', 'pleach up --port 0'],
  LIBP2P_UNFIT: [
    'the libp2p node that a program made cannot be a peer',
    'its key, or a service that the peer rests on, is not what createPeer asked for',
    '(options) => createLibp2p({ ...options, … })',
  ],
  LISTEN_FAILED: ['the peer cannot listen', 'the address is not one of this machine', 'pleach config show --origin'],
  KEY_EXPOSED: ['others can read the key of this peer', 'whoever has it is this peer', 'chmod 600 the file'],
  KEY_DAMAGED: [
    'the key file is damaged',
    'it does not hold an Ed25519 key',
    'restore it from a backup, or move it away',
  ],
  KEY_UNUSABLE: ['the key file cannot be used', 'this user may not read or write it', 'ls -l the folder'],
  SOCKET_IN_USE: ['the control socket cannot be had', 'something else answers there', 'pleach up --profile another'],
  SOCKET_PATH_TOO_LONG: [
    'there is no short enough path for the socket',
    'the system allows some hundred bytes',
    'TMPDIR=/tmp pleach up',
  ],
  FOLDER_NOT_OURS: [
    "a folder is somebody else's",
    'its owner could answer in the place of the peer',
    'set XDG_RUNTIME_DIR',
  ],
  NO_HOME: [
    'there is no folder to keep things in',
    'neither HOME nor the XDG variables are set',
    'HOME=/home/me pleach up',
  ],
  LOCK_FAILED: [
    'the data folder cannot be locked',
    'the file system has no locks',
    'put it on a local disk: XDG_DATA_HOME',
  ],
  DISK_FULL: ['there is no room on the disk', 'what cannot be written is not acknowledged', 'make room, and try again'],
  BACKUP_DAMAGED: [
    'the file is no whole backup',
    'its end is missing, or a bit of it has changed',
    'take another copy of it',
  ],
  PROFILE_LIVES: [
    'a backup cannot be put there',
    'a peer has its key or its ledger there, or runs; nothing is overwritten',
    'pleach restore --profile another FILE',
  ],
  LEDGER_IN_USE: ['another process has the ledger', 'one peer to a data folder', 'pleach stop'],
  LEDGER_DAMAGED: [
    'the ledger is damaged',
    'the disk changed it, or another program',
    'restore the data folder from a backup',
  ],
  LEDGER_TOO_NEW: ['the ledger is of a newer version', 'it was written by a later pleach', 'install that version'],
  LEDGER_FULL: ['the ledger cannot grow', 'the disk is full', 'make room, and try again'],
  LEDGER_BUSY: ['too much waits for the ledger', 'the disk is slower than the peer', 'do less at a time'],
  LEDGER_BROKEN: [
    'writing the ledger failed',
    'nobody knows what is on the disk; nothing more is written',
    'look at the disk, then pleach up',
  ],
  RECEIPTS_DAMAGED: [
    'a row of the ledger is not what was signed',
    'the disk changed it; nothing is paid, countersigned or settled on its lease any more',
    'pleach restore FILE   into another profile; the other peer has its copy',
  ],
  LEDGER_BEHIND: [
    'the ledger knows less than this peer has signed',
    'an older copy of it was put in its place, or its end is gone',
    'put the newer one back; or pleach up --only-one',
  ],
  LEDGER_RESTORED: [
    'the ledger comes from a backup',
    'what was signed after it is not known, and where it came from a peer may still run',
    'make sure that the other one is gone, then pleach up --only-one',
  ],
  PEER_TWICE: [
    'another peer signs with the key of this one',
    'its data folder was copied, and both run',
    'stop one of them, then pleach up --only-one',
  ],
  LEDGER_CLOSED: ['the ledger is closed', 'the peer is stopping', 'pleach up'],

  // Of objects.
  NOT_ENOUGH_SHARDS: [
    'the object cannot be read now',
    'too few of its keepers answer',
    'pleach audit OBJECT; try again later',
  ],
  OBJECT_NOT_FOUND: [
    'nobody who answers knows where it is',
    'its keepers are gone, or the network is another',
    'pleach peers',
  ],
  OBJECT_INCONSISTENT: [
    'the object is not what its manifest says',
    'whoever made it coded it wrongly',
    'ask them to put it again',
  ],
  OWN_COPY_DAMAGED: ['what was sealed here cannot be read', 'the disk changed it', 'pleach put   again'],
  NO_KEEPERS: [
    'some shards found no keeper',
    'too few peers lend disk space',
    'pleach offers; or take fewer shards: --code 2+1',
  ],
  REPAIR_CLAIMED: [
    'another peer is repairing the object',
    'two would do the same work',
    'pleach audit   shows when it is done',
  ],
  CANNOT_READ: [
    'the key of the object is not known here',
    'a verify string or a CAR does not have it',
    'pleach key export OBJECT   at who put it',
  ],
  CAR_TRUNCATED: ['the file is not a whole CAR', 'its end is missing', 'take another copy of it'],
  CAR_MISMATCH: ['the file is not what it says', 'a block of it was changed', 'take another copy of it'],
  CAR_MALFORMED: [
    'the file is no CAR of an object',
    'it has another form',
    'pleach export OBJECT -o FILE.car   makes one',
  ],
  CAR_OF_ANOTHER: [
    'the file and the string are of different objects',
    'they were mixed up',
    'take the string of this object',
  ],
  CAR_KEY: [
    'the key does not open what is in the file',
    'a letter of the string is wrong',
    'copy the string once more',
  ],
}
