import fc from "fast-check";

type Json = Readonly<Record<string, unknown>>;

interface Source {
  /** A reference of the document, followed. */
  readonly follow: (schema: Json) => Json;
  /** Ids that are there, for fields that take one. */
  readonly ids: readonly string[];
}

/** Texts that break what is not careful: SQL, HTML, paths, directions, halves of surrogate pairs, bytes that are no characters. */
export const hostileTexts: readonly string[] = [
  "'; drop table ticket; --",
  "' or 1=1 --",
  "\\'); select pg_sleep(5); --",
  "<script>alert(1)</script>",
  '"><img src=x onerror=alert(1)>',
  "__proto__",
  "constructor",
  "toString",
  "${7*7}{{7*7}}",
  "../../../etc/passwd",
  "\0",
  "a\0b",
  "\ud800",
  "x\udfff\ud800y",
  "\u202eabc\u202c",
  "\u0001\u001b[31m\r\n",
  "a\r\nx-injected: 1",
  "👩‍👩‍👧‍👦".repeat(5),
  "ﷺ".repeat(20),
  "\ufeff",
  "\uffff",
  "NaN",
  "-1",
  "1e999",
  "null",
  "",
  " ",
  "%00",
  "%s%n",
  "\\",
  "\\u0000",
  "İ",
  "ß".repeat(30),
];

const times = fc
  .date({ min: new Date("0001-01-01T00:00:00Z"), max: new Date("9999-12-31T00:00:00Z"), noInvalidDate: true })
  .map((time) => time.toISOString());

function textOf(
  { format, pattern, minLength = 0, maxLength = 60 }: Json,
  { ids }: Source,
): fc.Arbitrary<string> {
  if (format === "date-time") return times;
  if (format === "date") return times.map((time) => time.slice(0, 10));
  if (format === "uri") return fc.webUrl();
  const most = Math.min(maxLength as number, 200);
  const least = minLength as number;
  const fits = (text: string): boolean => text.length >= least && text.length <= most;
  if (typeof pattern === "string") {
    if (pattern.includes("@")) return fc.stringMatching(/^[a-z]{1,20}@[a-z]{1,10}\.example$/);
    return fc.stringMatching(new RegExp(pattern)).filter(fits);
  }
  const free = fc.string({ unit: "binary", minLength: least, maxLength: most }).filter(fits);
  const hostile = hostileTexts.filter(fits);
  return fc.oneof(
    free,
    fc.string({ minLength: least, maxLength: Math.max(least, Math.min(most, 30)) }),
    ...(hostile.length > 0 ? [fc.constantFrom(...hostile)] : []),
    ...(ids.length > 0 ? [fc.constantFrom(...ids)] : []),
  );
}

/** Values that a JSON Schema of the document allows; what it cannot say, such as that one field needs another, may be wrong with them. */
export function arbitraryOf(schema: Json, source: Source, depth = 0): fc.Arbitrary<unknown> {
  const { $ref, enum: members, const: only, anyOf, oneOf, allOf, type } = schema;
  if ($ref !== undefined) return arbitraryOf(source.follow(schema), source, depth);
  if (Array.isArray(members)) return fc.constantFrom(...(members as unknown[]));
  if (only !== undefined) return fc.constant(only);
  const choices = (anyOf ?? oneOf ?? allOf) as readonly Json[] | undefined;
  if (choices !== undefined) return fc.oneof(...choices.map((choice) => arbitraryOf(choice, source, depth)));
  if (Array.isArray(type)) {
    return fc.oneof(...(type as string[]).map((one) => arbitraryOf({ ...schema, type: one }, source, depth)));
  }
  if (type === "string") return textOf(schema, source);
  if (type === "boolean") return fc.boolean();
  if (type === "null") return fc.constant(null);
  if (type === "integer" || type === "number") return numberOf(schema);
  if (type === "array") return listOf(schema, source, depth);
  if (type === "object") return objectOf(schema, source, depth);
  return fc.jsonValue({ maxDepth: 2 });
}

/** Values that a field of that name takes, for what a schema does not say of it; more often than those that it does say. */
function likely(name: string, ids: readonly string[]): readonly fc.MaybeWeightedArbitrary<unknown>[] {
  const kinds: Readonly<Record<string, string>> = {
    requester_id: "con_",
    contact_id: "con_",
    in_reply_to: "msg_",
    into: "con_|tkt_",
  };
  const values: Readonly<Record<string, readonly unknown[]>> = {
    phone: ["+4930901820", "+12025550123", "+442079460958"],
    requester: [{ email: "someone@example.com" }, { ref: { source: "crm", external_id: "'; --" } }],
    time_zone: ["UTC", "Europe/Berlin", "America/New_York"],
    events: [["*"], ["ticket.*", "message.created"]],
    url: ["https://hooks.example.com/a", "https://hooks.example.com/<b>'"],
    hours: [null, { monday: [["09:00", "17:00"]] }],
    attachments: [[]],
  };
  const wanted = new RegExp(`^(?:${kinds[name]})`);
  const known = kinds[name] === undefined ? (values[name] ?? []) : ids.filter((id) => wanted.test(id));
  return known.length === 0 ? [] : [{ weight: 5, arbitrary: fc.constantFrom(...known) }];
}

function numberOf({ type, minimum = -1e15, maximum = 1e15 }: Json): fc.Arbitrary<number> {
  const range = { min: Math.max(minimum as number, -1e15), max: Math.min(maximum as number, 1e15) };
  return type === "integer" ? fc.integer(range) : fc.double({ ...range, noNaN: true });
}

function listOf(
  { items, prefixItems, minItems = 0, maxItems = 3 }: Json,
  source: Source,
  depth: number,
): fc.Arbitrary<unknown> {
  if (Array.isArray(prefixItems)) {
    return fc.tuple(...(prefixItems as Json[]).map((item) => arbitraryOf(item, source, depth + 1)));
  }
  const most = Math.max(minItems as number, Math.min(maxItems as number, depth > 2 ? 1 : 3));
  return fc.array(arbitraryOf((items ?? {}) as Json, source, depth + 1), {
    minLength: minItems as number,
    maxLength: most,
  });
}

function objectOf(schema: Json, source: Source, depth: number): fc.Arbitrary<unknown> {
  const { properties = {}, required = [], additionalProperties: rest } = schema;
  const fields = Object.entries(properties as Readonly<Record<string, Json>>);
  const known = fc.record(
    Object.fromEntries(
      fields.map(([name, field]) => [
        name,
        fc.oneof(arbitraryOf(field, source, depth + 1), ...likely(name, source.ids)),
      ]),
    ),
    { requiredKeys: required as string[] },
  );
  if (typeof rest !== "object" || rest === null) return known;
  const name = fc.oneof(
    fc.string({ minLength: 1, maxLength: 20 }),
    fc.constantFrom("prototype", "tier", "💥"),
  );
  const more = fc.dictionary(name, arbitraryOf(rest as Json, source, depth + 1), { maxKeys: 3 });
  return fc.tuple(more, known).map(([one, other]) => ({ ...one, ...(other as object) }));
}

/** JSON texts, valid or not, that take the place of a value. */
export const hostileValues: readonly string[] = [
  "null",
  "true",
  "-1",
  "0",
  "1.5",
  "-0",
  "1e999",
  "-1e999",
  "NaN",
  "Infinity",
  "9007199254740993",
  "99999999999999999999999999",
  '""',
  '" "',
  '"\\u0000"',
  '"a\\u0000b"',
  '"\\ud800"',
  '"\\udc00\\ud800"',
  '"NaN"',
  '"0000-00-00T00:00:00Z"',
  '"2026-02-30T00:00:00Z"',
  '"+294276-12-31T23:59:59Z"',
  '"9999-12-31T23:59:59.999999999+14:00"',
  '"tkt_0"',
  '"con_-1"',
  '"con_999999999999999"',
  '"con_9999999999999999999"',
  "[]",
  "{}",
  "[[]]",
  "[null]",
  '{"__proto__":{"admin":true}}',
  '{"constructor":{"prototype":{"admin":true}}}',
  '{"a":1,"a":2}',
  `"${"x".repeat(100_000)}"`,
  `"${"💥".repeat(40_000)}"`,
  `[${'"x",'.repeat(5000)}"x"]`,
  `${"[".repeat(3000)}${"]".repeat(3000)}`,
  `${'{"a":'.repeat(300)}1${"}".repeat(300)}`,
  ...hostileTexts.map((text) => JSON.stringify(text)),
];

const hole = "@hole@";

/** A JSON text of a value with one thing spoiled: a value in it replaced, a field added, or the text itself cut. */
export function spoil(value: fc.Arbitrary<unknown>): fc.Arbitrary<string> {
  const how = fc.constantFrom("replace", "replace", "replace", "replace", "add", "proto", "cut");
  return fc
    .tuple(value, how, fc.nat(10_000), fc.constantFrom(...hostileValues))
    .map(([whole, way, place, hostile]) => {
      const text = JSON.stringify(whole) ?? "null";
      if (way === "cut") return text.slice(0, place % text.length);
      if (way === "proto") return text.replace(/^\{/, `{"__proto__":${hostile},`);
      if (way === "add") return text.replace(/^\{/, `{"no_such_field":${hostile},`);
      const places = placesIn(whole);
      const path = places[place % places.length] ?? [];
      return JSON.stringify(withHole(whole, path)).replace(JSON.stringify(hole), () => hostile);
    });
}

function placesIn(value: unknown, path: readonly string[] = []): readonly (readonly string[])[] {
  if (typeof value !== "object" || value === null) return [path];
  return [path, ...Object.entries(value).flatMap(([name, inner]) => placesIn(inner, [...path, name]))];
}

function withHole(value: unknown, [name, ...rest]: readonly string[]): unknown {
  if (name === undefined) return hole;
  const copy: Record<string, unknown> = Object.fromEntries(Object.entries(value as object));
  copy[name] = withHole(copy[name], rest);
  return Array.isArray(value) ? Object.values(copy) : copy;
}
