import type { DeskRequest } from "./desk.ts";

/** The commands of a page's shell examples that begin with this word, their continuation lines included. */
export function commandsIn(page: string, word: string): string[] {
  const blocks = [...page.matchAll(/```sh\n([\s\S]*?)```/g)].map(([, block]) => block ?? "");
  return blocks.flatMap((block) => splitCommands(block)).filter((command) => command.startsWith(`${word} `));
}

/** A curl command as a request to the desk. Knows the options that the pages use; throws for any other. */
export function requestOf(command: string, base: string): DeskRequest {
  const [, ...words] = wordsOf(command);
  let method: string | undefined;
  let body: string | undefined;
  let path: string | undefined;
  const headers: Record<string, string> = {};
  for (let word = words.shift(); word !== undefined; word = words.shift()) {
    if (word === "-X") method = words.shift();
    else if (word === "-d") body = words.shift();
    else if (word === "-H") {
      const [name, value] = (words.shift() ?? "").split(": ");
      headers[(name ?? "").toLowerCase()] = value ?? "";
    } else if (word.startsWith(base)) path = word.slice(base.length);
    else if (word !== "-i")
      throw new Error(`the page uses curl in a way that its test does not know: ${word}`);
  }
  if (path === undefined) throw new Error(`there is no address in: ${command}`);
  const usual = body === undefined ? "GET" : "POST";
  return { method: (method ?? usual) as DeskRequest["method"], path, body, headers };
}

function splitCommands(block: string): string[] {
  const commands: string[] = [];
  let open = "";
  for (const line of block.split("\n")) {
    open = open === "" ? line : `${open}\n${line}`;
    if (open.split("'").length % 2 === 0) continue;
    if (open.trim() !== "") commands.push(open);
    open = "";
  }
  return commands;
}

// Words as a shell makes them of single quotes, double quotes and spaces; the pages use nothing else.
function wordsOf(command: string): string[] {
  return [...command.matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g)].map(
    ([, single, double, bare]) => single ?? double ?? bare ?? "",
  );
}
