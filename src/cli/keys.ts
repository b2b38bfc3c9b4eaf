import type { Command } from "commander";
import type { ApiKey, ApiKeys } from "../desk/key.ts";
import { openDesk } from "../desk/desk.ts";
import { scopes } from "../desk/scope.ts";
import { addDataOption, addJsonOption, groups } from "./argument.ts";
import type { CliContext, CommonOptions } from "./context.ts";
import { commandLogger, printJson, printLine, printNote, withLedger } from "./context.ts";
import { formatTable } from "./table.ts";
import { agoText } from "./time-text.ts";

interface CreateOptions extends CommonOptions {
  readonly name: string;
  readonly scopes: readonly string[];
}

/** `keys create`, `keys list` and `keys revoke`: who may use the built-in Support API. */
export function addKeysVerbs(program: Command, context: CliContext): void {
  const keys = program
    .command("keys")
    .description("API keys of the built-in Support API")
    .helpGroup(groups.act);
  addCreate(keys, context);
  addList(keys, context);
  addRevoke(keys, context);
}

function addCreate(keys: Command, context: CliContext): void {
  const command = keys
    .command("create")
    .description("make a key; it is shown this once and stored nowhere")
    .requiredOption("--name <name>", "what the key is for")
    .requiredOption("--scopes <scopes...>", `what it may do: ${scopes.join(", ")}`);
  addJsonOption(addDataOption(command)).action(async (options: CreateOptions) => {
    const wanted = options.scopes.flatMap((scope) => scope.split(",")).filter((scope) => scope !== "");
    const unknown = wanted.filter((scope) => !(scopes as readonly string[]).includes(scope));
    if (unknown.length > 0) {
      const message = `error: there is no scope ${unknown.join(", ")}; the scopes are ${scopes.join(", ")}`;
      command.error(message, { exitCode: 2 });
    }
    const made = await withKeys(context, options, (api) => api.create(options.name, wanted));
    if (options.json === true) printJson(context, made);
    else {
      printNote(
        context,
        `${made.id} (${made.name}) may use ${made.scopes.join(", ")}; its key, shown this once:`,
      );
      printLine(context, made.key);
    }
  });
}

function addList(keys: Command, context: CliContext): void {
  const command = keys.command("list").description("keys by their first characters, with what they may do");
  addJsonOption(addDataOption(command)).action(async (options: CommonOptions) => {
    const listed = await withKeys(context, options, (api) => api.list());
    if (options.json === true) printJson(context, listed);
    else if (listed.length === 0) printLine(context, "No keys. Make one with `deskbridge keys create`.");
    else printLine(context, keyTable(listed, Date.now()));
  });
}

/** Keys as a table. */
export function keyTable(keys: readonly ApiKey[], now: number): string {
  const ago = (time: string): string => agoText(Date.parse(time), now);
  const rows = keys.map((key) => [
    key.id,
    key.name,
    `${key.hint}…`,
    key.revokedAt === null ? key.scopes.join(" ") : `revoked ${ago(key.revokedAt)}`,
    ago(key.createdAt),
    key.lastUsedAt === null ? "never" : ago(key.lastUsedAt),
  ]);
  return formatTable(
    ["id", "name", "key", "may use", "made", "last used"].map((title) => ({ title })),
    rows,
  );
}

function addRevoke(keys: Command, context: CliContext): void {
  const command = keys
    .command("revoke")
    .description("end a key; running processes refuse it within five seconds")
    .argument("<id>", "the key's id, as `keys list` has it");
  addJsonOption(addDataOption(command)).action(async (id: string, options: CommonOptions) => {
    const revoked = await withKeys(context, options, (api) => api.revoke(id));
    if (options.json === true) printJson(context, revoked);
    else printLine(context, `${revoked.id} (${revoked.name}) is revoked.`);
  });
}

async function withKeys<T>(
  context: CliContext,
  options: CommonOptions,
  run: (keys: ApiKeys) => Promise<T>,
): Promise<T> {
  return withLedger(context, options, async ({ foundation }) => {
    const desk = await openDesk({
      databaseUrl: foundation.databaseUrl,
      logger: commandLogger(context, []),
      now: Date.now,
      maxConnections: 1,
    });
    try {
      return await run(desk.keys);
    } finally {
      await desk.close();
    }
  });
}
