export * from './codec.ts'
export * from './filter.ts'
export * from './fit.ts'
export * from './messages.ts'
