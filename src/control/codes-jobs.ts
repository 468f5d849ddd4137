/** Codes of the market: why a bid is not answered, an offer not taken, a lease not made; and how jobs end. */
import type { Row } from './codes.ts'

const another = 'nothing: another provider is tried'

export const jobCodes: Readonly<Record<string, Row>> = {
  // Why a provider makes no offer.
  NOT_LENDING: [
    'the provider lends nothing now',
    'it was started without --offer, or is stopping',
    'pleach up --offer',
  ],
  PAUSED: ['the provider takes nothing new', 'its owner paused it', 'wait for it: --wait 30m'],
  TOO_HOT: ['its machine is too hot', 'it was started with --max-heat', 'wait for it: --wait 30m'],
  DISK_LOW: [
    'its disk is nearly full',
    'the rest is for what is under way',
    'make room there; or wait for it: --wait 30m',
  ],
  IN_DOUBT: [
    'the peer is not sure that it alone has its key',
    'its ledger is older than what it has signed, or somebody else signs with its key; so it lends and signs nothing',
    'at that peer: stop the other one, or pleach up --only-one',
  ],
  OWNER_ACTIVE: ['its owner uses the machine', 'it was started with --idle-only', 'wait for it: --wait 30m'],
  BUSY: [
    'nothing is free now, or too much is under way',
    'other work holds what is asked for; of a keeper: too many exchanges at once',
    'wait for it: --wait 30m',
  ],
  DENIED: ['this provider does not work for us', 'its owner set --deny', 'ask its owner'],
  NOT_ALLOWED: ['this provider works for others only', 'its owner set --allow', 'ask its owner for a place in it'],
  STANDING_POOR: [
    'the provider thinks ill of us',
    'we broke the protocol, or did not sign for work that was done',
    'pleach receipts   shows what is not signed by both',
  ],
  OFFERS_UNANSWERED: [
    'the provider waits for our word on what it has offered us',
    'of strangers, offers without an answer bind half of what is lent at most',
    'bid for fewer jobs at once',
  ],
  ENOUGH: [
    'others had answered the bid already',
    'whoever asks says when there are offers enough; a provider that was not sooner keeps its own to itself',
    'nothing',
  ],
  UNPAID: [
    'the provider is already at work for us, and has not been paid',
    'a stranger is worked for once at a time, until it has signed a receipt',
    'wait for it: --wait 30m',
  ],
  OFFERS_FULL: ['the provider has too many offers open', 'it can keep track of so many', 'wait for it: --wait 30m'],
  NOT_ADMITTED: [
    "its owner's own program did not admit the bid",
    'the owner set --admission; the program said no, failed, or took too long',
    'ask its owner',
  ],
  LEDGER_FAILED: [
    'the ledger cannot be written',
    'the disk is full or broken; what cannot be written down is not promised',
    'df -h; then pleach up again: the job goes on',
  ],

  // Why an offer is not taken, or comes to no lease.
  OUTBID: ['somebody cheaper was taken', 'the dearest price that was taken is told', 'pleach status   has a hint'],
  NOT_CHOSEN: ['others were taken', 'price, way there, standing and evidence count, and a little chance', another],
  WITHDRAWN: ['the job was taken back', 'its owner cancelled it', 'nothing'],
  CLOSED: ['it is no longer asked for', 'the offer or the answer came too late', another],
  OFFER_EXPIRED: ['the award came after the offer had ended', 'offers hold for 15 s at most', another],
  COMMIT_LATE: ['the last word came too late', 'a provider holds its word for 5 s', another],
  NO_SUCH_OFFER: ['the award is of an offer that is not known', 'the provider was started anew meanwhile', another],
  NO_ANSWER: ['a provider did not answer its award', 'it is gone, or the way to it is', another],
  ACCEPT_LATE: ['a provider accepted too late', 'it is slow, or the way to it is', another],
  HOLD_EXPIRED: ['nobody took up the offer', 'the requester is gone, or chose others without a word', 'nothing'],
  NO_COMMIT: ['the requester never said the last word', 'it is gone, or the way to it is', 'nothing'],
  RESTARTED: ['the offer was forgotten', 'the provider was started anew; offers bind for seconds only', 'nothing'],
  STOPPED: ['the offer was taken back', 'the provider is stopping', another],

  // How work is lost.
  NOT_STARTED: ['the provider did not begin', 'it had the lease and did not answer START in time', another],
  NO_START: ['the work was never begun', 'the requester did not send START in time', 'nothing'],
  PROVIDER_SILENT: [
    'the provider said nothing for too long',
    'it is gone, or the way to it is',
    'allow another: --retries 3',
  ],
  PORT_NOT_EXPOSED: ['the service has no such port', 'the job does not say it', 'name it: pleach run --port 80'],
  PORT_CLOSED: ['nobody listens on the port', 'the program has not begun to, or has ended', 'pleach logs JOB'],
  LEASE_UNKNOWN: ['the provider does not know the lease', 'it lost what it had written down', another],
  STRAGGLED: [
    'another provider was sooner',
    'a place that took much longer than the others was tried a second time',
    'nothing: what was done is paid',
  ],
  RESULT_NOT_TAKEN: ['the requester did not take the result', 'it is gone, or the way to it is', 'nothing'],
  OUTPUTS_SLOW: [
    'the outputs did not come in time',
    'too few of the keepers that have them answer',
    'allow another: --retries 3',
  ],
  OUTPUTS_DIFFER: ['the outputs are not those of the result', 'the provider says one thing and sends another', another],
  OUTCOME_DIFFERS: [
    'it made something else than this machine',
    'of a deterministic job all make the same: one of whom little is known was compared (pleach peer X --why)',
    another,
  ],
  LOG_DIFFERS: ['the log is not that of the result', 'the provider says one thing and sends another', another],
  INPUT_GONE: ['an input that was sealed is gone', 'the data folder of this peer was changed', 'pleach run   again'],
  INPUT_DIFFERS: [
    'an input is not what the job says',
    'a file was changed, or its keepers are wrong',
    'pleach run   again',
  ],
  GRANTS_DIFFER: [
    'the inputs are not those of the job',
    'the requester sent others than it had named',
    'pleach run   again',
  ],
  FAILED: ['something went wrong on the way', 'the facts beside the code say what', 'pleach logs JOB'],

  // How jobs end.
  PAID: ['the job is done, and paid', 'its last receipt is signed by both', 'nothing'],
  NO_MATCH: [
    'nobody took the job',
    'no provider fits, or none of those that fit made an offer in time',
    'pleach offers --explain JOB   says why of each; --wait 30m waits for one',
  ],
  CANCELLED: ['the job was cancelled', 'its owner said so', 'nothing'],
  LOST: ['nobody works at the job any more', 'this peer broke off just as the job began', 'pleach run   again'],
  NO_FINAL_RECEIPT: ['the last bill never came', 'the provider is gone; the results that came are kept', 'nothing'],
  EXITED: ['the program ended by itself', 'its exit code is that of pleach run', 'nothing'],
  TRAPPED: [
    'the program broke off',
    'it did what WebAssembly forbids, such as reading where nothing is',
    'pleach logs JOB',
  ],
  WALL_LIMIT: ['the program ran for longer than it was given', 'the limit is --timeout', 'give it more: --timeout 1h'],
  MEMORY_LIMIT: [
    'the program wanted more memory than it was given',
    'the limit is --memory',
    'give it more: --memory 2Gi',
  ],
  OUTPUT_LIMIT: [
    'the program wrote more to /out than it may',
    'the limit is outputBytes',
    'outputBytes: 4Gi in a job file',
  ],
  LOG_LIMIT: ['the program printed more than it may', 'the limit is logBytes', 'logBytes: 256Mi in a job file'],
  GAS_LIMIT: [
    'the program executed more instructions than it may',
    'the limit is --gas-max',
    'allow more: --gas-max 100G',
  ],
  MODULE_INVALID: [
    'the module cannot be run',
    'it is no WASI preview 1 module, or wants what is not there',
    'build it for wasm32-wasip1',
  ],
  INPUTS_MISSING: ['the provider could not fetch the inputs', 'too few of their keepers answer it', 'pleach peers'],
  PROVIDER_FAILED: [
    'the provider failed',
    'its machine or its program is at fault, not the job',
    'allow another: --retries 3',
  ],

  // Bills that are not signed.
  WALL_TIME: ['the bill is for more time than has passed', 'the provider is wrong, or means ill', 'pleach receipts'],
  MEMORY_TIME: [
    'the bill is for more memory than was leased, for the time that it states',
    'the provider is wrong, or means ill',
    'pleach receipts',
  ],
  GPU_TIME: [
    'the bill is for more GPUs than were leased, for the time that it states',
    'the provider is wrong, or means ill',
    'pleach receipts',
  ],
  STORE_TIME: [
    'the bill is for more disk than was leased, for the time that it states',
    'the provider is wrong, or means ill',
    'pleach receipts',
  ],
  IN_BYTES: [
    'the bill is for more than the module and the inputs of the job',
    'what was fetched twice is paid once',
    'pleach receipts',
  ],
  OUT_BYTES: [
    'the bill is for more outputs than have come',
    'they are billed once, with the last receipt',
    'pleach receipts',
  ],
  GAS_RATE: [
    'the bill is for more instructions than can have been executed',
    'no processor is so fast, or the job has a limit',
    'pleach receipts',
  ],
  GAS_DIFFERS: [
    'the bill is for other instructions than the result states',
    'the provider is wrong, or means ill',
    'pleach rerun JOB   counts them anew',
  ],
  ISSUED_AHEAD: ['the date of a bill is in the future', 'one of the two clocks is wrong', 'timedatectl'],
  LEASE_EXPIRED: [
    'a bill came when its lease was long over',
    'what is owed is billed within a day of the end',
    'pleach receipts',
  ],
  REPLAYED: ['an old bill came again', 'a later one is signed by both already', 'nothing: it changes nothing'],
  RESULT_DIFFERS: [
    'the bill is for another result',
    'the provider is wrong, or means ill',
    'run it again: another is chosen',
  ],
  NOT_COUNTERSIGNED: [
    'a bill was not signed in time',
    'the requester is gone or objects; the work was stopped',
    'pleach receipts',
  ],
  HOLDS_MORE: [
    'the other has a later receipt than we',
    'one of the two lost what it had',
    'nothing: the larger counts',
  ],
  HOLDS_LESS: ['the other does not know a receipt', 'one of the two lost what it had', 'nothing: the proof is sent'],
  RECEIPT_DIFFERS: [
    'two receipts with one number',
    'one of the two changed what it signed',
    'pleach receipt verify LEASE',
  ],
}
