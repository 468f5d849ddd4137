/** Chance from a seed, as the package has it for tests of others too. */
export * from '../src/testing/seeded-random.ts'
