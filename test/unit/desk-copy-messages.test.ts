import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createCopyReader } from "../../src/desk/store/copy-messages.ts";

function message(letter: string, body: Buffer): Buffer {
  const head = Buffer.alloc(5);
  head.write(letter);
  head.writeUInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
}

/** Cuts bytes at the places that are given, each copied as if it came over a socket. */
function cut(bytes: Buffer, places: readonly number[]): Buffer[] {
  const edges = [0, ...places.map((place) => place % (bytes.length + 1)), bytes.length];
  const sorted = edges.toSorted((a, b) => a - b);
  return sorted.slice(1).map((end, index) => Buffer.from(bytes.subarray(sorted[index], end)));
}

function read(pieces: readonly Buffer[]): { readonly rows: string; readonly rest: string | undefined } {
  const take = createCopyReader();
  const rows: Buffer[] = [];
  for (const [index, piece] of pieces.entries()) {
    const found = take(piece);
    rows.push(Buffer.from(found.rows));
    if (found.rest === undefined) continue;
    const rest = Buffer.concat([found.rest, ...pieces.slice(index + 1)]);
    return { rows: Buffer.concat(rows).toString("latin1"), rest: rest.toString("latin1") };
  }
  return { rows: Buffer.concat(rows).toString("latin1"), rest: undefined };
}

const body = fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes));
const places = fc.array(fc.nat(), { maxLength: 30 });

describe("the rows of a copy", () => {
  it("are what the server's messages of rows hold, wherever the pieces are cut and whatever comes between", () => {
    const said = fc.record({ letter: fc.constantFrom("d", "d", "d", "H", "N", "S", "A"), body });
    const ends = fc.constantFrom("c", "E");
    fc.assert(
      fc.property(fc.array(said, { maxLength: 20 }), ends, body, places, (messages, letter, last, at) => {
        const end = Buffer.concat([message(letter, last), message("Z", Buffer.from("I"))]);
        const all = [...messages.map((one) => message(one.letter, one.body)), end];
        const rows = messages.flatMap((one) => (one.letter === "d" ? [one.body] : []));
        expect(read(cut(Buffer.concat(all), at))).toEqual({
          rows: Buffer.concat(rows).toString("latin1"),
          rest: end.toString("latin1"),
        });
      }),
    );
  });

  it("have no end before the server says so", () => {
    const row = message("d", Buffer.from("a,b\n"));
    expect(read([row.subarray(0, 3), row.subarray(3, 7), row.subarray(7)])).toEqual({
      rows: "a,b\n",
      rest: undefined,
    });
  });
});
