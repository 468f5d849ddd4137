/** Every command, with the line that `pleach help` says of it. Loaded one at a time: a thin command starts fast. */
import type { Command } from './command.ts'

export interface Entry {
  readonly about: string
  readonly group: 'a peer' | 'jobs' | 'data' | 'receipts' | 'more'
  load(): Promise<Command>
}

export const commands: Readonly<Record<string, Entry>> = {
  up: {
    group: 'a peer',
    about: 'run a peer; --offer lends this machine',
    load: async () => (await import('./up.ts')).command,
  },
  devnet: {
    group: 'a peer',
    about: 'run several peers on this machine to try things',
    load: async () => (await import('./devnet.ts')).command,
  },
  status: { group: 'a peer', about: 'how the peer is doing', load: async () => (await import('./status.ts')).command },
  peers: { group: 'a peer', about: 'whom it is connected to', load: async () => (await import('./peers.ts')).command },
  peer: {
    group: 'a peer',
    about: 'what is thought of another, and why',
    load: async () => (await import('./peer.ts')).command,
  },
  join: { group: 'a peer', about: 'connect to a peer', load: async () => (await import('./join.ts')).command },
  pause: {
    group: 'a peer',
    about: 'take no work for others for a while',
    load: async () => (await import('./pause.ts')).command,
  },
  resume: { group: 'a peer', about: 'take it again', load: async () => (await import('./resume.ts')).command },
  stop: {
    group: 'a peer',
    about: 'stop the peer in good order',
    load: async () => (await import('./stop.ts')).command,
  },
  backup: {
    group: 'a peer',
    about: 'its key, ledger and settings in one file',
    load: async () => (await import('./backup.ts')).command,
  },
  restore: {
    group: 'a peer',
    about: 'a peer out of such a file',
    load: async () => (await import('./restore.ts')).command,
  },
  offers: {
    group: 'jobs',
    about: 'who lends what, and at what price',
    load: async () => (await import('./offers.ts')).command,
  },
  run: {
    group: 'jobs',
    about: 'run a WASI module or an image on another machine',
    load: async () => (await import('./run.ts')).command,
  },
  jobs: {
    group: 'jobs',
    about: 'what was run, here and for others',
    load: async () => (await import('./jobs.ts')).command,
  },
  logs: { group: 'jobs', about: 'what a job has written', load: async () => (await import('./logs.ts')).command },
  forward: {
    group: 'jobs',
    about: 'reach a port of a service',
    load: async () => (await import('./forward.ts')).command,
  },
  rerun: { group: 'jobs', about: 'run a job again', load: async () => (await import('./rerun.ts')).command },
  cancel: { group: 'jobs', about: 'stop a job', load: async () => (await import('./cancel.ts')).command },
  put: {
    group: 'data',
    about: 'keep a file or folder with other peers',
    load: async () => (await import('./put.ts')).command,
  },
  get: {
    group: 'data',
    about: 'fetch it back, here or elsewhere',
    load: async () => (await import('./get.ts')).command,
  },
  ls: { group: 'data', about: 'what is kept, and how well', load: async () => (await import('./ls.ts')).command },
  rm: { group: 'data', about: 'forget an object and its key', load: async () => (await import('./rm.ts')).command },
  audit: {
    group: 'data',
    about: 'ask keepers for proof that they have it',
    load: async () => (await import('./audit.ts')).command,
  },
  repair: {
    group: 'data',
    about: 'make lost shards again',
    load: async () => (await import('./repair.ts')).command,
  },
  pin: {
    group: 'data',
    about: 'look after an object from here too',
    load: async () => (await import('./pin.ts')).command,
  },
  key: {
    group: 'data',
    about: 'export or import what opens an object',
    load: async () => (await import('./key.ts')).command,
  },
  export: {
    group: 'data',
    about: 'write an object to a file (CAR)',
    load: async () => (await import('./export.ts')).command,
  },
  import: {
    group: 'data',
    about: 'take an object up from such a file',
    load: async () => (await import('./import.ts')).command,
  },
  receipts: {
    group: 'receipts',
    about: 'what was promised and paid',
    load: async () => (await import('./receipts.ts')).command,
  },
  receipt: {
    group: 'receipts',
    about: 'show or verify the receipts of one lease',
    load: async () => (await import('./receipt.ts')).command,
  },
  earnings: {
    group: 'receipts',
    about: 'what was earned, by job, day or peer',
    load: async () => (await import('./earnings.ts')).command,
  },
  cost: {
    group: 'receipts',
    about: 'what was spent, by job, day or peer',
    load: async () => (await import('./cost.ts')).command,
  },
  statements: {
    group: 'receipts',
    about: 'who owes whom, by statements that both signed',
    load: async () => (await import('./statements.ts')).command,
  },
  settle: {
    group: 'receipts',
    about: 'agree on what is owed, now',
    load: async () => (await import('./settle.ts')).command,
  },
  voucher: {
    group: 'receipts',
    about: 'what is promised in a form that others can redeem',
    load: async () => (await import('./voucher.ts')).command,
  },
  explain: {
    group: 'more',
    about: 'what a code means, why, and what can be done',
    load: async () => (await import('./explain.ts')).command,
  },
  config: {
    group: 'more',
    about: 'the settings, and where each comes from',
    load: async () => (await import('./config.ts')).command,
  },
  help: {
    group: 'more',
    about: 'this, or the help of a command',
    load: async () => (await import('./help.ts')).command,
  },
}
