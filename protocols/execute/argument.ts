import { z } from 'zod'

export const argCharsMax = 64 * 1024

/** C strings end at a zero byte, so no argument may hold one. */
export const argument = z
  .string()
  .max(argCharsMax)
  .refine((text) => !text.includes('\0'), 'holds a zero byte')
