import type { RouteFacts } from "./route.ts";

/** Last words of an address that say what is done with the object before them. */
const actions: Readonly<Record<string, string>> = {
  merge: "merge",
  unmerge: "unmerge",
  export: "export",
  stream: "stream",
  test: "test",
  replay: "replay",
  retry: "retry",
  csat: "rate",
};

/** Verbs of a POST that does not create what its address ends in. */
const postVerbs: Readonly<Record<string, string>> = { tags: "change", identities: "add", batch: "run" };

interface Noun {
  readonly word: string;
  /** Whether the address names one of them. */
  readonly one: boolean;
  readonly byRef: boolean;
}

/** Words that end in s and mean one thing. */
const noPlurals: ReadonlySet<string> = new Set(["business-hours", "metrics", "content"]);

/**
 * The stable name of an operation, made of its method and address alone: `listTickets`, `getTicketByRef`, `mergeContact`. Two routes with one name
 * are an error of the table, which the document's test finds.
 */
export function operationIdOf(route: RouteFacts): string {
  const nouns = nounsOf(route.path);
  const last = nouns.at(-1);
  if (last === undefined) throw new Error(`the address ${route.path} has no words`);
  const before = nouns.slice(0, -1).map((noun) => nameOf(noun, true));
  const action = last.one ? undefined : actions[last.word];
  if (action !== undefined && nouns.length > 1) {
    const whole = action === "stream" ? nouns.slice(0, -1).map((noun) => nameOf(noun, noun.one)) : before;
    return [action, ...whole].join("");
  }
  if (last.word === "rotate-secret") return ["rotate", ...before, "Secret"].join("");
  const verb = verbOf(route, last);
  const single = last.one || verb === "create" || verb === "add" || verb === "put";
  return [verb, ...before, nameOf(last, single)].join("");
}

/** The group that an operation is shown in: the first word of its address. */
export function tagOf({ path }: RouteFacts): string {
  return nounsOf(path)[0]?.word.replace(/\.json$/, "") ?? "";
}

function verbOf({ method, answers }: RouteFacts, { word, one }: Noun): string {
  if (method === "PATCH") return "update";
  if (method === "DELETE") return "delete";
  if (method === "PUT") return one ? "put" : "set";
  if (method === "GET") return one || noPlurals.has(word) || !isPlural(word) ? "get" : "list";
  return postVerbs[word] ?? (answers[201] === undefined ? "post" : "create");
}

function nounsOf(path: string): readonly Noun[] {
  const segments = path.split("/").slice(2);
  const nouns: Noun[] = [];
  for (const [index, word] of segments.entries()) {
    if (word.startsWith("{") || word === "by-ref") continue;
    const next = segments[index + 1];
    const byRef = next === "by-ref";
    nouns.push({ word, byRef, one: byRef || next?.startsWith("{") === true });
  }
  return nouns;
}

function nameOf({ word, byRef }: Noun, single: boolean): string {
  const bare = word.replace(/\.json$/, "");
  const noun = single ? singular(bare) : bare;
  const pascal = noun.replaceAll(/(?:^|-)(\w)/g, (_all, letter: string) => letter.toUpperCase());
  return byRef ? `${pascal}ByRef` : pascal;
}

function isPlural(word: string): boolean {
  return word.endsWith("s");
}

function singular(word: string): string {
  if (noPlurals.has(word)) return word;
  return word.endsWith("ies") ? `${word.slice(0, -3)}y` : word.replace(/s$/, "");
}
