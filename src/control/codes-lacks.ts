/** Codes of what a provider lacks for a bid: LACKS_ and the need, by protocols/bid. */
import type { Row } from './codes.ts'

const seen = 'its record, or what it said when it was asked, does not have it'

const lack = (what: string, why: string, cure: string): Row => [`the provider ${what}`, why, cure]

export const lackCodes: Readonly<Record<string, Row>> = {
  LACKS_RUNTIME: lack(
    'does not run such programs',
    'a runtime is listed only once a program has been tried in it there',
    'pleach offers   shows what runs where',
  ),
  LACKS_ISOLATION: lack('contains programs in another way', seen, 'leave --isolation out'),
  LACKS_ARCH: lack('has another kind of processor', seen, 'leave --arch out: WASI modules run on any'),
  LACKS_FEATURES: lack('has processors without these instructions', seen, 'leave --feature out'),
  LACKS_GPU_MODEL: lack('has no such GPU, or none', seen, 'pleach offers --gpus 1   shows which there are'),
  LACKS_GPU_MEMORY: lack('has GPUs with less memory', seen, 'ask for less: --gpu-mem 16G'),
  LACKS_GPUS: lack('has fewer GPUs of one kind', 'a job does not spread over unlike GPUs', 'ask for fewer: --gpus 1'),
  LACKS_TEE: lack('is not in such an enclave, or does not show it', seen, 'leave --tee out'),
  LACKS_REGION: lack(
    'is elsewhere, or does not say where',
    'regions are alternatives; one must be the word that its owner gave',
    'add another: --region eu --region uk',
  ),
  LACKS_EGRESS: lack('lets no program out to the network', seen, 'leave --egress out'),
  LACKS_CPU: lack('lends fewer processors', seen, 'ask for fewer: --cpu 1'),
  LACKS_MEMORY: lack('lends less memory', seen, 'ask for less: --memory 512Mi'),
  LACKS_DISK: lack('has less disk space', seen, 'ask for less: --disk 1Gi'),
  LACKS_TIME: lack('takes no job that may run for so long', 'its owner set --max-time', 'ask for less: --timeout 10m'),
  LACKS_EVIDENCE: lack(
    'only claims what was to be measured or challenged',
    'the least evidence for all that is asked for counts',
    '--evidence claimed',
  ),
  LACKS_UNIT: lack(
    'reckons in another unit of account',
    'prices in two units cannot be compared',
    'pleach offers   shows the units; pleach up --unit NAME sets ours',
  ),
  LACKS_PRICE: lack(
    'is dearer than the bid allows',
    'memory, GPUs and evidence are laid on the price of a processor',
    'allow more: --max-price 2',
  ),
  LACKS_HOURS: lack(
    'does not take work until the longest run is over',
    'its owner set --hours',
    'ask for less: --timeout 10m; or try again in its hours',
  ),
  LACKS_FREE: lack('has fewer processors free now', 'its record says so, roughly', 'wait for it: --wait 30m'),
}
