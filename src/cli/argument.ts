import type { Command } from "commander";
import { InvalidArgumentError } from "commander";
import { z } from "zod";

/** The headings that `deskbridge --help` puts verbs under. */
export const groups = {
  run: "Run:",
  configure: "Configure:",
  look: "Look:",
  act: "Act:",
} as const;

export function addConfigOption(command: Command): Command {
  return command.option("--config <path>", "a YAML file, or a folder of them", "config/deskbridge.yaml");
}

export function addDataOption(command: Command): Command {
  return command.option(
    "--data <dir>",
    "where the embedded PostgreSQL lives when DATABASE_URL is not set",
    "data",
  );
}

/** The options of every verb that reads the configuration and opens the database. */
export function addCommonOptions(command: Command): Command {
  return addDataOption(addConfigOption(command));
}

export function addJsonOption(command: Command): Command {
  return command.option("--json", "print one JSON value");
}

export function addShowDataOption(command: Command): Command {
  return command.option("--show-data", "print mapped values and the event's data, personal data included");
}

export function parsePort(text: string): number {
  const port = Number(text);
  if (/^\d+$/.test(text) && port <= 65_535) return port;
  throw new InvalidArgumentError("Give a number from 0 to 65535.");
}

/** A number from 1 on, such as a limit or the id of a delivery. */
export function parseCount(text: string): number {
  const count = Number(text);
  if (/^\d+$/.test(text) && count >= 1 && Number.isSafeInteger(count)) return count;
  throw new InvalidArgumentError("Give a whole number, 1 or more.");
}

/** For an argument that may be repeated: what was given so far, and one more. */
export function parseCounts(text: string, before: readonly number[] | undefined): readonly number[] {
  return [...(before ?? []), parseCount(text)];
}

const instant = z.iso.datetime({ offset: true });
const day = z.iso.date();

/** An RFC 3339 instant, or a date for its midnight UTC; as RFC 3339 UTC. */
export function parseInstant(text: string): string {
  if (day.safeParse(text).success) return `${text}T00:00:00.000Z`;
  if (instant.safeParse(text).success) return new Date(text).toISOString();
  throw new InvalidArgumentError("Give a date (2026-11-22) or an RFC 3339 time (2026-11-22T10:00:00Z).");
}
