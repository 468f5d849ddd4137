/** `pleach peer PEER`: what is thought of a peer, and with --why what that is made of. */
import { exits } from '../config/error.ts'
import type { StandingView } from '../control/api.ts'
import { defineCommand } from './command.ts'
import { connect } from './connect.ts'
import { safe } from './escape.ts'
import { count, named, span } from './format.ts'
import { table } from './table.ts'

export const command = defineCommand({
  usage: 'peer [flags] PEER',
  about: [
    'What this peer thinks of another. PEER is a petname, an id, or the beginning or the end of one (pleach peers).',
    'Nobody is asked for an opinion: a standing is what was seen from here, and what peers that did good work for us',
    'have signed for.',
  ],
  flags: { why: { type: 'switch', about: 'each term of the standing, with its figures' } },
  takes: ['PEER'],
  async run(invocation) {
    const { terminal, positionals, flags, signal } = invocation
    const client = await connect(invocation)
    const view = await client.peer(positionals[0]!, signal)
    if (terminal.json) await terminal.printJson(view)
    else if (terminal.quiet) await terminal.print(safe(view.peer))
    else await terminal.print(...summaryLines(view, Date.now()), ...(flags.why ? whyLines(view) : []))
    return exits.ok
  },
})

const familiarities: Readonly<Record<StandingView['familiarity'], string>> = {
  known: 'it worked for this peer',
  introduced: 'it worked for a peer that worked for this one',
  stranger: 'nothing is known of its work',
}

function summaryLines(view: StandingView, nowMs: number): string[] {
  const { standing, familiarity, coolDown, provenUntilMs, uptime } = view
  const lines = [`${named(view)}  standing ${standing.toFixed(2)}  ${familiarities[familiarity]}`]
  if (provenUntilMs !== null)
    lines.push(
      `  proven to have signed two things that exclude each other: not dealt with for ${span(provenUntilMs - nowMs)}`,
    )
  if (coolDown !== null) {
    const [why, what] =
      coolDown.because === 'fault'
        ? ['it broke a protocol', 'not chosen']
        : ['it promised and did not come', 'chosen only when nobody else is there']
    lines.push(`  ${why}: ${what} for ${span(coolDown.untilMs - nowMs)}`)
  }
  if (uptime !== null)
    lines.push(
      `  there  ${uptime.share.toFixed(2)} of ${count(uptime.looks, 'look')}${uptime.enough ? '' : ', too few to say'}`,
    )
  return lines
}

const words: Readonly<Record<StandingView['terms'][number]['what'], string>> = {
  prior: 'as of any stranger',
  success: 'did well',
  noShow: 'did not come',
  fault: 'broke a protocol',
  vouched: 'signed for by peers that we know',
}

function whyLines({ terms, experience, references, standing, trustInStrangers }: StandingView): string[] {
  const sum = (sign: 1 | -1): number =>
    terms.reduce((all, { amount, weight }) => all + Math.max(0, sign * weight * amount), 0)
  const [good, bad] = [sum(1), sum(-1)]
  const lines = [
    '',
    ...table(
      ['OF', 'WHAT', '>AMOUNT', '>WEIGHT', '>FOR', '>AGAINST'],
      terms.map(({ of, what, amount, weight }) => [
        safe(of, 40),
        words[what],
        amount.toFixed(2),
        String(weight),
        weight > 0 ? (amount * weight).toFixed(2) : '',
        weight < 0 ? (-amount * weight).toFixed(2) : '',
      ]),
    ),
    `standing = for ÷ (for + against) = ${good.toFixed(2)} ÷ ${(good + bad).toFixed(2)} = ${standing.toFixed(2)}`,
  ]
  for (const { doing, paid, startMs, refused, evidence } of experience) {
    const facts = [
      ...(paid === '0' ? [] : [`paid ${safe(paid, 20)}`]),
      ...(startMs === null ? [] : [`runs ${span(startMs)} after the lease`]),
      ...(refused === 0 ? [] : [`${refused.toFixed(2)} lawful refusals`]),
    ]
    if (facts.length > 0) lines.push(`${safe(doing, 40)}: ${facts.join(', ')}`)
    for (const line of evidence) lines.push(`${safe(doing, 40)}: ${safe(line, 200)}`)
  }
  for (const reference of references)
    lines.push(
      `reference by ${named(reference)}: it signed for ${safe(reference.signed, 20)}, which is worth ${reference.jobs.toFixed(2)} of its jobs for us`,
    )
  if (references.length === 0) lines.push('no references by peers that this one knows')
  lines.push(`strangers as such: ${trustInStrangers.toFixed(2)} (0.50: none was tried)`)
  return lines
}
