// What an index can do for a pattern: the texts that begin as it does stand side by side. Not public.

/** How a pattern begins, up to what stands for other text. */
export const beginningOf = (pattern: string): string =>
  /^(?:\\.|[^\\%_])*/su.exec(pattern)![0].replaceAll(/\\(.)/gsu, "$1")

/** The first text, by code points, after all that begin so; undefined if there is none. */
export const following = (beginning: string): string | undefined => {
  const points = Array.from(beginning, (character) => character.codePointAt(0)!)
  while (points.length > 0) {
    const last = points.pop()!
    if (last === 0x10ffff) continue
    // Halves of surrogate pairs are no characters.
    return String.fromCodePoint(...points, last === 0xd7ff ? 0xe000 : last + 1)
  }
  return undefined
}
