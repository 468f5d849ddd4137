export * from './codec.ts'
export * from './messages.ts'
export * from './provider.ts'
export * from './requester.ts'
