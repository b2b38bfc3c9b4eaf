import { expect } from "vitest";
import { createCsvBatch } from "../row-batch.ts";
import type { Row, RowChange } from "../row-batch.ts";
import type { SinkCase, SinkKit } from "./sink.ts";
import { asCsv, upsert, valuesRow, valuesTable } from "./sink-table.ts";

const plain = valuesRow("full", {
  text: "The parcel is late.",
  order: 42,
  amount: 12.25,
  flag: true,
  seen_at: "2026-11-27T13:11:08.123456Z",
  due_on: "2026-02-28",
  data: { tags: ["late", "vip"], count: 2, inner: { at: null } },
});

const texts: readonly string[] = [
  "",
  " ",
  "null",
  "NULL",
  "\\N",
  "\\.",
  "a line\n\\.\nanother",
  '"',
  '""',
  'She said "no".',
  "it's",
  "a,b;c\td|e",
  "line\nfeed",
  "\n",
  "\r\nboth\r\n",
  "carriage\rreturn",
  "back\\slash \\n \\t \\x41 \\u0041 \\",
  " leading and trailing ",
  "\t",
  "{{ hole }} ${hole} %s :name $1 ?",
  "'; DROP TABLE x; --",
  "/* comment */ -- comment # comment",
  "{}",
  "[]",
  "Grüße, señor; 日本語; العربية; עברית",
  "e\u0301 is not \u00e9",
  "\u{1f469}\u200d\u{1f4bb} \u{1f1e9}\u{1f1ea}",
  "\ufeffmark \ufffd \u2028 \u2029 \u0085 \u00a0",
  "\u{10ffff}",
  "2026-11-27T13:11:08Z",
  "1e400",
  "true",
];

const controls = String.fromCharCode(...Array.from({ length: 31 }, (_, index) => index + 1), 127);

const jsonValues: readonly unknown[] = [
  {},
  [],
  "",
  "text with \"quotes\", 'more' and a \\ backslash\nand a line",
  0,
  -1.5,
  9_007_199_254_740_991,
  1e-7,
  true,
  false,
  [null],
  [[], [[]], {}],
  { "": 1, "a b": 2, 'c"d': 3, "e'f": 4, "g.h": 5, 日本: 6 },
  { status: ["new", "open"], nested: { deep: { deeper: [1, "2", { three: null }] } } },
  ["\u{1f469}\u200d\u{1f4bb}", "\\u0041", "\u0001\u001f"],
];

const numbers = [
  0,
  1,
  -1,
  0.1,
  -0.1,
  1 / 3,
  1e21,
  1e-9,
  123_456_789.123_456_78,
  1.797_693_134_862_315_7e308,
  -1.797_693_134_862_315_7e308,
  2.225_073_858_507_201_4e-308,
];
const integers = [0, 1, -1, 2_147_483_648, -2_147_483_649, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER];
const instants = [
  "1970-01-01T00:00:00Z",
  "1969-12-31T23:59:59.999999Z",
  "2026-03-29T01:30:00Z",
  "2026-10-25T01:30:00.5Z",
  "2000-02-29T23:59:59.000001Z",
  "1905-06-07T01:02:03.04Z",
  "2199-12-31T23:59:59.999999Z",
];
const extremeInstants = ["0001-01-01T00:00:00Z", "0099-05-04T03:02:01Z", "9999-12-31T23:59:59.999999Z"];
const days = ["1970-01-01", "1969-12-31", "2024-02-29", "1905-06-07", "2199-12-31"];
const extremeDays = ["0001-01-01", "9999-12-31"];

const rowsOf = (column: string, values: readonly unknown[]): Row[] =>
  values.map((value, index) => valuesRow(`${column}-${index}`, { [column]: value }));

/** What comes back of a value. Each case is run with rows as records and as CSV. */
export const sinkValueCases: readonly SinkCase[] = [
  ...both("holds a value of every type, and null in its place", [plain, valuesRow("empty")]),
  ...both("holds any text as it is: quotes, line feeds, scripts, markers of nothing", rowsOf("text", texts)),
  ...both("tells the empty text from none", [valuesRow("empty", { text: "" }), valuesRow("none")]),
  ...both("holds control characters", rowsOf("text", [controls, ...controls.split("")])),
  ...both("holds integers up to 2^53 less one, with either sign", rowsOf("order", integers)),
  ...both("holds doubles to their last digit", rowsOf("amount", numbers)),
  ...both("holds instants to the microsecond, and days", [
    ...rowsOf("seen_at", instants),
    ...rowsOf("due_on", days),
  ]),
  ...both(
    "holds instants and days from year 1 to year 9999",
    [...rowsOf("seen_at", extremeInstants), ...rowsOf("due_on", extremeDays)],
    ["all times"],
  ),
  ...both("holds any JSON", rowsOf("data", jsonValues)),
  ...both("holds rows of a megabyte", [
    valuesRow("long", {
      text: 'x"\n'.repeat(400_000),
      data: { list: Array.from({ length: 20_000 }, (_, n) => `entry ${n}`) },
    }),
    plain,
  ]),
  { name: "takes CSV as PostgreSQL writes it", run: postgresCsv },
  {
    name: "loses no row with a character of value zero in it: it is held, or U+FFFD is in its place",
    run: zeroCharacter,
  },
  {
    name: "loses no row with half a character in it: it is held, or U+FFFD is in its place",
    run: halfCharacters,
  },
];

function both(name: string, rows: readonly Row[], needs: SinkCase["needs"] = []): SinkCase[] {
  const held = (form: (change: RowChange) => RowChange) => async (kit: SinkKit) => {
    await kit.export(valuesTable, { run: 1, changes: [form(upsert(valuesTable, ...rows))] });
    await kit.expectRows(valuesTable, rows);
  };
  return [
    { name: `${name} (records)`, needs, run: held((change) => change) },
    { name: `${name} (CSV)`, needs, run: held(asCsv) },
  ];
}

async function postgresCsv(kit: SinkKit): Promise<void> {
  const csv = [
    'a,"say ""hi"", then\ngo",7,1.5,t,2026-11-27 13:11:08.1+00,2026-11-27,"{""a"": [1, null]}",2026-11-03 08:00:00+00',
    'b,"",-9007199254740991,1e+21,f,,,"""text""",2026-11-03 08:00:00.000001+00',
    "c,,,,,,,,2026-11-03 08:00:00+00",
  ];
  const batch = createCsvBatch(valuesTable.columns, Buffer.from(`${csv.join("\n")}\n`), csv.length);
  await kit.export(valuesTable, { run: 1, changes: [{ kind: "upsert", batch }] });
  await kit.expectRows(valuesTable, [
    valuesRow("a", {
      text: 'say "hi", then\ngo',
      order: 7,
      amount: 1.5,
      flag: true,
      seen_at: "2026-11-27T13:11:08.1Z",
      due_on: "2026-11-27",
      data: { a: [1, null] },
    }),
    valuesRow("b", {
      text: "",
      order: Number.MIN_SAFE_INTEGER,
      amount: 1e21,
      flag: false,
      data: "text",
      created_at: "2026-11-03T08:00:00.000001Z",
    }),
    valuesRow("c"),
  ]);
}

// JavaScript lets a text hold half of a character; UTF-8 cannot.
async function halfCharacters(kit: SinkKit): Promise<void> {
  const rows = [
    valuesRow("a", { text: "a\ud83d b" }),
    valuesRow("b", { data: ["\udc69", { "\ud83d": 1 }] }),
    plain,
  ];
  const whole = JSON.parse(JSON.stringify(rows).replaceAll(/\\ud[89a-f][0-9a-f]{2}/g, "\ufffd")) as Row[];
  for (const [run, form] of [(change: RowChange) => change, asCsv].entries()) {
    await kit.export(valuesTable, { run: run + 1, changes: [form(upsert(valuesTable, ...rows))] });
    const held = (await kit.rows(valuesTable)).map((row) => JSON.stringify(row));
    await kit.expectRows(
      valuesTable,
      rows.map((row, index) => (held.includes(JSON.stringify(row)) ? row : (whole[index] ?? row))),
    );
  }
}

async function zeroCharacter(kit: SinkKit): Promise<void> {
  const rows = [
    valuesRow("a", { text: "be\u0000fore" }),
    valuesRow("b", { data: { "k\u0000": "v\u0000", list: ["\u0000", "\\u0000"] } }),
    plain,
  ];
  const replaced = JSON.parse(
    JSON.stringify(rows).replaceAll(/(?<!\\)((?:\\\\)*)\\u0000/g, "$1\ufffd"),
  ) as Row[];
  for (const [run, form] of [(change: RowChange) => change, asCsv].entries()) {
    await kit.export(valuesTable, { run: run + 1, changes: [form(upsert(valuesTable, ...rows))] });
    const held = JSON.stringify(await kit.rows(valuesTable));
    await kit.expectRows(valuesTable, held.includes("\ufffd") ? replaced : rows);
  }
  expect((await kit.rows(valuesTable)).length).toBe(3);
}
