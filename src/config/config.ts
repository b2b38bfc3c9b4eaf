import type { ConfigPosition, Flow } from "../flows/flow.ts";
import type { Column } from "../model/dataset.ts";
import type { Row } from "../sdk/row-batch.ts";
import type { SchemaPolicy, SinkTable } from "../sdk/sink.ts";

/** How a connection's sources are polled. */
export interface PollSettings {
  readonly everyMs: number;
  /** On the very first poll, start from now rather than from the beginning. */
  readonly skipHistory: boolean;
  /** Names of the sources to poll; all when undefined. */
  readonly sources: readonly string[] | undefined;
}

/** One configured connection. */
export interface ConnectionConfig {
  readonly name: string;
  /** Name of its connector. */
  readonly use: string;
  /** Parsed by the connector's own schema; secrets are resolved in it. */
  readonly settings: unknown;
  /** Undefined when the connection is not polled. */
  readonly poll: PollSettings | undefined;
  readonly rateLimit: { readonly calls: number; readonly perSeconds: number } | undefined;
  /** Lanes worked on at a time in one process. */
  readonly concurrency: number;
  /** Where it is configured; absent when it was not read from a file. */
  readonly position?: ConfigPosition;
}

export interface ServerConfig {
  readonly host: string;
  readonly port: number;
  /** Where senders reach us from outside, for webhook registration; without a trailing slash. */
  readonly publicUrl: string | undefined;
  readonly maxBodyBytes: number;
  /** Appends that may wait for the database before ingress answers 503. */
  readonly maxWaitingAppends: number;
  /** How long finished events stay in the ledger, in milliseconds. */
  readonly retentionMs: number;
  /** How long a shutdown waits for work in flight, in milliseconds. */
  readonly shutdownMs: number;
  readonly logLevel: "debug" | "info" | "warn" | "error";
}

/** When an export runs. */
export interface ExportSchedule {
  readonly cron: string;
  /** An IANA time zone. */
  readonly timezone: string;
}

/** An export: parsed, checked and compiled, carried out by the export engine. */
export interface ExportConfig {
  readonly name: string;
  readonly from: string;
  readonly to: string;
  /** Undefined when it runs by hand only. */
  readonly schedule: ExportSchedule | undefined;
  readonly tables: readonly ExportTable[];
  readonly onSchemaChange: SchemaPolicy;
  /** How young changes are that wait for the next run; undefined leaves it to the source. */
  readonly lagMs: number | undefined;
  /** Rows after which what was written is published, at the next end of a page; undefined leaves it to the time that has passed. */
  readonly chunkRows: number | undefined;
  /** Where it and its connections are configured; absent when it was not read from a file. */
  readonly position?: ExportPosition;
}

interface ExportPosition {
  readonly name: ConfigPosition;
  readonly from: ConfigPosition;
  readonly to: ConfigPosition;
}

/** One dataset of an export, and what it is made into. */
export interface ExportTable {
  /** As the warehouse gets it: without what is left out, hashed columns as text. */
  readonly table: SinkTable;
  /** Columns to ask the source for: the table's, and those that `where` looks at. In the dataset's order. */
  readonly read: readonly Column[];
  /** Whether a row is wanted; absent where all are. */
  readonly where?: RowFilter;
  /** Turns a value into its hash. Absent where no column is hashed. */
  readonly hash?: ColumnHash;
  /** Hex digits that change when other rows or values would come of the same dataset: filter, personal data, key. */
  readonly selection: string;
  readonly position?: ConfigPosition;
  readonly path: string;
}

/** A compiled `where`. */
export interface RowFilter {
  readonly text: string;
  /** Pure. A row that lacks a value which is asked for does not pass. Throws `mapping_failed` for what else fails, with the place in the configuration. */
  readonly passes: (row: Row) => boolean;
}

export interface ColumnHash {
  readonly columns: ReadonlySet<string>;
  /** HMAC-SHA256 in hex. Equal texts give equal hashes, in whatever column. */
  readonly of: (text: string) => string;
}

/** Settings of the built-in Support API. */
export interface DeskConfig {
  /** Requests that each caller may send to one process. */
  readonly limits: {
    readonly key: RequestLimitConfig;
    readonly endUser: RequestLimitConfig;
    /** Of the key of the environment, and of the worker in the same process. */
    readonly own: RequestLimitConfig;
  };
  readonly endUsers: {
    /** Origins of web pages that may call `/v1/me`. */
    readonly origins: readonly string[];
    /** Undefined when the merchant signs no tokens. */
    readonly merchantTokens:
      | {
          readonly audience: string;
          readonly issuer: string | undefined;
          readonly maxLifetimeMs: number;
          readonly keys: readonly {
            readonly kid: string;
            readonly algorithm: "HS256" | "EdDSA";
            /** A secret, or a public key in PEM. */
            readonly key: string;
            readonly source: string;
          }[];
        }
      | undefined;
  };
  readonly attachments: {
    readonly maxBytes: number;
    /** Types such as `image/*`; the usual ones when undefined. */
    readonly types: readonly string[] | undefined;
    readonly linkLifetimeMs: number;
    /** Undefined to keep them in the data directory. */
    readonly s3: BucketConfig | undefined;
  };
}

interface RequestLimitConfig {
  readonly requests: number;
  readonly seconds: number;
}

/** A bucket of an S3-compatible server. */
export interface BucketConfig {
  readonly bucket: string;
  readonly region: string;
  readonly endpoint?: string | undefined;
  readonly pathStyle: boolean;
  readonly prefix: string;
  readonly accessKeyId?: string | undefined;
  readonly secretAccessKey?: string | undefined;
}

/** The whole configuration, checked and resolved. */
export interface Config {
  /** First 12 hex digits of the SHA-256 of the text, before secrets are resolved. */
  readonly version: string;
  readonly server: ServerConfig;
  readonly desk: DeskConfig;
  readonly connections: ReadonlyMap<string, ConnectionConfig>;
  readonly flows: readonly Flow[];
  readonly exports: readonly ExportConfig[];
  /** Every resolved secret value, for redaction. Never printed. */
  readonly secrets: readonly string[];
}
