/** How a text is written in YAML. */
export type Writing = "plain" | "single" | "double" | "block";

/**
 * For each character of a text, how far into its written form it stands. The written form includes the quotes, or the header line of a block.
 * Where lines were folded or indentation taken away, the nearest place before is given.
 */
export function offsetsIn(written: string, text: string, writing: Writing): number[] {
  const offsets: number[] = [];
  let at = startOf(written, writing);
  for (const character of unitsOf(text)) {
    at = skipFolding(written, at, character, writing);
    offsets.push(Math.min(at, written.length));
    at += lengthAt(written, at, writing);
  }
  return offsets;
}

function startOf(written: string, writing: Writing): number {
  if (writing === "plain") return 0;
  if (writing === "block") return written.indexOf("\n") + 1;
  return 1;
}

function unitsOf(text: string): string[] {
  return text.split("");
}

/** Passes over whitespace that is written but is not in the text: indentation, folded lines, continued lines. */
function skipFolding(written: string, from: number, character: string, writing: Writing): number {
  let at = from;
  while (at < written.length && written[at] !== character) {
    if (writing === "double" && written[at] === "\\") {
      if (written[at + 1] !== "\n") return at;
      at += 2;
    } else if (!isSpace(written[at])) return at;
    // A folded newline stands for the space or newline of the text.
    else if (written[at] === "\n" && isSpace(character)) return at;
    else at += 1;
  }
  return at;
}

function lengthAt(written: string, at: number, writing: Writing): number {
  if (writing === "single" && written.startsWith("''", at)) return 2;
  if (writing !== "double" || written[at] !== "\\") return 1;
  const hexDigits = { x: 2, u: 4, U: 8 }[written[at + 1] ?? ""] ?? 0;
  return 2 + hexDigits;
}

function isSpace(character: string | undefined): boolean {
  return character === " " || character === "\t" || character === "\n" || character === "\r";
}
