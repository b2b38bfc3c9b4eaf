import { entryOf, kindInWords } from "../flows/located.ts";
import type { ConfigProblem, Located, LocatedEntry, LocatedMap } from "../flows/located.ts";
import { didYouMean } from "../sdk/nearest-name.ts";
import { orList } from "../flows/schema-issue.ts";
import { sectionNames } from "./schema.ts";

/**
 * Several files as one configuration: the entries of each section come together. One name in two files is a problem that names both places, and so
 * is a section that nobody knows.
 */
export function mergeFiles(roots: readonly LocatedMap[], problems: ConfigProblem[]): LocatedMap {
  const sections = new Map<string, { entry: LocatedEntry; entries: LocatedEntry[] }>();
  for (const root of roots) {
    for (const entry of root.entries) {
      if (!sectionNames.some((name) => name === entry.key)) {
        problems.push({
          position: entry.keyPosition,
          path: entry.key,
          message: `\`${entry.key}\` is not a section; expected ${orList(sectionNames)}.${didYouMean(entry.key, sectionNames)}`,
        });
        continue;
      }
      const section = sections.get(entry.key) ?? { entry, entries: [] };
      sections.set(entry.key, section);
      for (const added of entriesOf(entry, problems)) addEntry(section.entries, added, problems);
    }
  }
  const position = roots[0]?.position ?? { file: "", line: 1, column: 1 };
  return {
    kind: "map",
    position,
    path: "",
    entries: [...sections.values()].map(({ entry, entries }) => ({
      ...entry,
      value: { kind: "map", position: entry.value.position, path: entry.key, entries },
    })),
  };
}

function entriesOf({ key, value }: LocatedEntry, problems: ConfigProblem[]): readonly LocatedEntry[] {
  if (value.kind === "map") return value.entries;
  if (isNothing(value)) return [];
  problems.push({
    position: value.position,
    path: key,
    message: `this is ${kindInWords(value)}; expected a mapping`,
  });
  return [];
}

function isNothing(value: Located): boolean {
  return value.kind === "scalar" && value.value === null;
}

function addEntry(entries: LocatedEntry[], added: LocatedEntry, problems: ConfigProblem[]): void {
  const first = entries.find((entry) => entry.key === added.key);
  if (!first) {
    entries.push(added);
    return;
  }
  const { file, line, column } = first.keyPosition;
  problems.push({
    position: added.keyPosition,
    path: added.value.path,
    message: `\`${added.key}\` is there already, at ${file}:${line}:${column}; expected each name once`,
  });
}

/** A section's entries, in order; none when the section is absent. */
export function sectionOf(root: LocatedMap, name: (typeof sectionNames)[number]): LocatedMap {
  const entry = entryOf(root, name);
  if (entry?.value.kind === "map") return entry.value;
  return { kind: "map", position: root.position, path: name, entries: [] };
}
