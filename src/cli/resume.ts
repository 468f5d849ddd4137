/** `pleach resume`. */
import { exits } from '../config/error.ts'
import { defineCommand } from './command.ts'
import { connect } from './connect.ts'
import { tellResting } from './resting.ts'

export const command = defineCommand({
  usage: 'resume [flags]',
  about: ['Takes work for others again after pleach pause; what is held goes on.'],
  flags: {},
  takes: [],
  async run(invocation) {
    const client = await connect(invocation)
    const { resting } = await client.resume()
    await tellResting(invocation.terminal, resting)
    return exits.ok
  },
})
