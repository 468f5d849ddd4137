export async function exhaust(_: unknown): Promise<number> {
  return 0
}
