/**
 * Text of other peers on its way to a terminal. A name with an escape sequence in it could clear the screen, or show one
 * address and mean another; a long one could bury everything else.
 */

/** Controls of both kinds, and what is invisible or turns the direction of writing. */
// oxlint-disable-next-line no-control-regex -- control characters are what is looked for
const unprintable = /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g
export const remoteCharsMax = 120

/** One line, at most `charsMax` characters; what cannot be seen is written as `\u{1b}`. */
export function safe(text: string, charsMax: number = remoteCharsMax): string {
  const escaped = text
    .slice(0, charsMax + 1)
    .toWellFormed()
    .replaceAll(unprintable, (character) => `\\u{${character.codePointAt(0)!.toString(16)}}`)
  return escaped.length > charsMax ? `${escaped.slice(0, charsMax - 1).toWellFormed()}…` : escaped
}
