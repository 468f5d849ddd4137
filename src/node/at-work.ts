/** What is shown as under way, and whether it is. */
import type { JobView } from '../control/api.ts'
import type { ProviderDesk } from '../market/provider-desk.ts'
import type { RequesterDesk } from '../market/requester-desk.ts'

/** Whether a machine still works at what is shown as under way. */
export function isAtWork({ id, role, lease }: JobView, requester: RequesterDesk, provider: ProviderDesk): boolean {
  return role === 'requester'
    ? requester.state(id) !== undefined
    : provider.leases().some(({ task }) => task !== null && task.lease.id === lease)
}
