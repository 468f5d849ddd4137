/** The name of a network: peers of different networks do not hear each other. It is in every envelope, and is shown to people as it came. */
export const networkCharsMax = 32
export const networkPattern = new RegExp(`^[a-z][a-z0-9-]{0,${networkCharsMax - 1}}$`)
