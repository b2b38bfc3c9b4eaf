// Figures are stored as text of ASCII, because that is what goes between PostgreSQL and us without being turned into something else. A character is a digit
// from 0 to 95, and there are two ways to write a number with them.
//
// Numbers of any size have digits to the base of 48, the lowest first: from 0 on for the last digit of a number, from 48 on when more follow.
// Numbers below 9,216, of which there are many, have two digits to the base of 96 and so can be read without looking how long they are.
const base = 48;
const wideBase = 96;
const firstCharacter = 32;

/** Text as bytes, and how far it has been read. */
export interface PackedText {
  readonly bytes: Uint8Array;
  place: number;
}

/** Opens packed text for reading. */
export function openPacked(packed: string): PackedText {
  return { bytes: Buffer.from(packed, "latin1"), place: 0 };
}

/** A whole number from 0 on, as text. */
export function packNumber(number: number): string {
  let text = "";
  let rest = number;
  for (; rest >= base; rest = Math.floor(rest / base)) {
    text += String.fromCharCode(firstCharacter + base + (rest % base));
  }
  return text + String.fromCharCode(firstCharacter + rest);
}

/** A whole number that may be less than 0, as text. */
export function packSigned(number: number): string {
  return packNumber(number < 0 ? -2 * number - 1 : 2 * number);
}

/** A whole number from 0 to 9,215, as two characters. */
export function packWide(number: number): string {
  return String.fromCharCode(
    firstCharacter + Math.floor(number / wideBase),
    firstCharacter + (number % wideBase),
  );
}

export function takeNumber(text: PackedText): number {
  const { bytes } = text;
  let { place } = text;
  let digit = (bytes[place] ?? firstCharacter) - firstCharacter;
  place += 1;
  let number = digit;
  // A digit that says that more follow is too large by the base, which is one of the next digit.
  for (let scale = base; digit >= base; scale *= base) {
    digit = (bytes[place] ?? firstCharacter) - firstCharacter;
    place += 1;
    number += (digit - 1) * scale;
  }
  text.place = place;
  return number;
}

export function takeSigned(text: PackedText): number {
  return signed(takeNumber(text));
}

function signed(number: number): number {
  return number % 2 === 0 ? number / 2 : -(number + 1) / 2;
}

/** Takes a signed number for each of the bits of `present`, from the lowest on, and adds it, `sign` times, to what is in `sums` at the bit's number. */
export function addSigned(text: PackedText, present: number, sums: Float64Array, sign: 1 | -1): void {
  const { bytes } = text;
  // As takeNumber does, but without going through the object for each number.
  let { place } = text;
  for (let at = 0, bits = present; bits !== 0; at += 1, bits >>>= 1) {
    if ((bits & 1) === 0) continue;
    let digit = (bytes[place] ?? firstCharacter) - firstCharacter;
    place += 1;
    let number = digit;
    for (let scale = base; digit >= base; scale *= base) {
      digit = (bytes[place] ?? firstCharacter) - firstCharacter;
      place += 1;
      number += (digit - 1) * scale;
    }
    sums[at] = (sums[at] ?? 0) + sign * signed(number);
  }
  text.place = place;
}

export function takeWide(text: PackedText): number {
  const { place } = text;
  text.place = place + 2;
  return wideAt(text.bytes, place);
}

/** The number whose two characters begin here. */
export function wideAt(bytes: Uint8Array, place: number): number {
  return ((bytes[place] ?? 0) - firstCharacter) * wideBase + (bytes[place + 1] ?? 0) - firstCharacter;
}
