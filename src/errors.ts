/** What the engine does after an error: try again, wait as told, pause until the credential works, or give up. */
export type RetryClass = "retry" | "retry_after" | "reconnect" | "stop";

interface CatalogueRow {
  readonly meaning: string;
  /** HTTP status used when the error leaves through an API of ours. */
  readonly status: number;
  readonly retry: RetryClass;
  readonly remedy: string;
}

/** Every error code of the project. Codes are stable and never reused; `docs/reference/errors.md` is generated from here. */
export const errorCatalogue = {
  config_invalid: {
    meaning: "The configuration has one or more errors; all of them are listed with file, line and column.",
    status: 400,
    retry: "stop",
    remedy: "Fix the lines named in the message and run `deskbridge check` again.",
  },
  config_unreadable: {
    meaning: "The configuration file or folder cannot be read.",
    status: 400,
    retry: "stop",
    remedy: "Check the path given with --config and the permissions of the file.",
  },
  command_invalid: {
    meaning: "The command line is not one that deskbridge takes.",
    status: 400,
    retry: "stop",
    remedy: "Add `--help` to see what the verb takes.",
  },
  environment_invalid: {
    meaning: "A variable of the environment has a value that cannot be used.",
    status: 400,
    retry: "stop",
    remedy: "Correct or remove the variable named in the message.",
  },
  connector_unknown: {
    meaning: "No connector of that name is installed.",
    status: 400,
    retry: "stop",
    remedy: "Check the spelling of `use:`, or install the package that provides the connector.",
  },
  connector_invalid: {
    meaning: "A connector module does not have the shape the engine expects.",
    status: 500,
    retry: "stop",
    remedy: "Export the result of `defineConnector` as the module's default export.",
  },
  connection_unknown: {
    meaning: "No connection of that name is configured.",
    status: 404,
    retry: "stop",
    remedy: "Use the name of a connection in the configuration.",
  },
  capability_missing: {
    meaning: "The connection's connector does not offer what was asked of it.",
    status: 400,
    retry: "stop",
    remedy: "Use a connector that offers it; the pages in `docs/reference/connectors/` say who offers what.",
  },
  ledger_unavailable: {
    meaning: "PostgreSQL cannot be reached or refused the statement.",
    status: 503,
    retry: "retry",
    remedy: "Check the database; senders keep their events and retry.",
  },
  ledger_busy: {
    meaning: "Too many appends are waiting for PostgreSQL.",
    status: 503,
    retry: "retry_after",
    remedy: "Slow the sender down or give the database more room; nothing was acknowledged.",
  },
  ledger_rejected: {
    meaning: "PostgreSQL refused a value or a statement of ours.",
    status: 500,
    retry: "stop",
    remedy: "Report it with the SQLSTATE in the message; other events are not touched.",
  },
  ledger_schema_newer: {
    meaning: "The database was migrated by a newer version of deskbridge.",
    status: 500,
    retry: "stop",
    remedy: "Run the newer version, or restore a backup taken before the upgrade.",
  },
  data_dir_in_use: {
    meaning: "Another deskbridge has this data directory, and its database, in use.",
    status: 409,
    retry: "stop",
    remedy: "Stop the other one, or give this one a data directory of its own with --data.",
  },
  lease_lost: {
    meaning: "The lane was taken over by another worker while this one was working on it.",
    status: 409,
    retry: "stop",
    remedy: "Nothing to do: the other worker finishes the delivery.",
  },
  queue_unavailable: {
    meaning: "The queue backend cannot be reached.",
    status: 503,
    retry: "retry",
    remedy: "Check Redis; no event is lost, the sweeper rings again when it is back.",
  },
  webhook_signature: {
    meaning: "The request's signature or credential is missing or wrong.",
    status: 401,
    retry: "stop",
    remedy: "Compare the secret in the configuration with the sender's.",
  },
  webhook_stale: {
    meaning: "The request's signed time is outside the replay window.",
    status: 401,
    retry: "stop",
    remedy: "Check both clocks; widen the connection's tolerance if the sender is slow.",
  },
  webhook_malformed: {
    meaning: "The body is not what the connector expects.",
    status: 400,
    retry: "stop",
    remedy: "Compare the sender's format with the connector's reference page.",
  },
  body_too_large: {
    meaning: "The request body is larger than the server accepts.",
    status: 413,
    retry: "stop",
    remedy: "Send less at once, or raise `server.maxBodyBytes`; for attachments `desk.attachments.maxBytes`.",
  },
  mapping_failed: {
    meaning: "An expression of a flow failed on this event; no operation was sent.",
    status: 422,
    retry: "stop",
    remedy: "Fix the expression named in the message, then `deskbridge dead retry`.",
  },
  operation_invalid: {
    meaning: "A mapped operation lacks a required value or has one of the wrong form; it was not sent.",
    status: 422,
    retry: "stop",
    remedy: "Fix the flow's mapping, then `deskbridge dead retry`.",
  },
  flow_removed: {
    meaning: "The delivery's flow is no longer in the configuration.",
    status: 410,
    retry: "stop",
    remedy: "Restore the flow and retry, or discard the dead letter.",
  },
  target_unavailable: {
    meaning: "The target did not answer, or answered with a server error.",
    status: 502,
    retry: "retry",
    remedy:
      "See that it runs and can be reached. Deliveries and exports are tried again with growing pauses.",
  },
  target_timeout: {
    meaning: "The target did not answer in time; whether it acted is unknown.",
    status: 504,
    retry: "retry",
    remedy: "Nothing to do: the same effect key is sent again, or looked up first.",
  },
  target_rate_limited: {
    meaning: "The target asked us to slow down.",
    status: 429,
    retry: "retry_after",
    remedy: "Nothing to do; lower the connection's `rateLimit` if it happens often.",
  },
  target_unauthorized: {
    meaning: "The target refused our credential.",
    status: 401,
    retry: "reconnect",
    remedy: "Renew the credential in the configuration; deliveries resume by themselves.",
  },
  target_not_found: {
    meaning: "The object addressed on the target does not exist.",
    status: 404,
    retry: "stop",
    remedy: "Check the flow's keys; retry the dead letter when the object exists.",
  },
  target_conflict: {
    meaning: "The target says that the object changed or exists already.",
    status: 409,
    retry: "retry",
    remedy: "Nothing to do: the delivery is retried.",
  },
  target_rejected: {
    meaning: "The target refused the operation as invalid; its words are in the attempt.",
    status: 422,
    retry: "stop",
    remedy: "Fix the flow or the data, then `deskbridge dead retry`.",
  },
  target_protocol: {
    meaning: "The target's answer is not what its interface promises (not JSON, cut off, too large).",
    status: 502,
    retry: "retry",
    remedy: "Check what stands between us and the target (a proxy, a login page).",
  },
  sink_table_foreign: {
    meaning: "The warehouse has a table of that name which this export did not make.",
    status: 409,
    retry: "stop",
    remedy: "Give the export another table name, or move the table away. Nothing was written to it.",
  },
  sink_schema_changed: {
    meaning: "The table in the warehouse does not have the columns or types that are exported.",
    status: 409,
    retry: "stop",
    remedy: "Change the column back, or see `onSchemaChange` of the export.",
  },
  sink_full: {
    meaning: "The warehouse, or the disk that rows are staged on, has no room left.",
    status: 507,
    retry: "retry",
    remedy: "Make room. The export goes on from its last commit by itself.",
  },
  sink_path_blocked: {
    meaning:
      "The path of the warehouse cannot be a folder: a file is in its place, or its name is not possible.",
    status: 409,
    retry: "stop",
    remedy: "Give the connection another `path`, or move what is there away. Nothing was written.",
  },
  export_unknown: {
    meaning: "No export of that name is configured.",
    status: 404,
    retry: "stop",
    remedy: "Use one of the names that `deskbridge export list` shows.",
  },
  export_busy: {
    meaning: "The export is being run by another process.",
    status: 409,
    retry: "retry",
    remedy: "Wait for it to end; `deskbridge export status` shows how far it is.",
  },
  effect_pending: {
    meaning:
      "Whether an earlier try of this write took effect cannot be told yet, or another write is making the same object.",
    status: 409,
    retry: "retry_after",
    remedy: "Nothing to do: the target is asked as soon as it can tell.",
  },
  effect_unknown: {
    meaning:
      "Whether the target carried out a write is unknown: the call broke off, and the target takes no keys and cannot be asked.",
    status: 502,
    retry: "stop",
    remedy:
      "Look on the target, then `deskbridge dead resolve <id> --as done` or `--as unsent`; it goes on from there.",
  },
  storage_unavailable: {
    meaning: "An attachment cannot be stored or read: the disk is full, or the bucket does not answer.",
    status: 503,
    retry: "retry",
    remedy: "Make room, or check the bucket; nothing was kept of what was being sent.",
  },
  bad_request: {
    meaning: "The request is not valid.",
    status: 400,
    retry: "stop",
    remedy: "Fix the fields named in the answer.",
  },
  cursor_ahead: {
    meaning:
      "The cursor is ahead of the change feed: the database is in an older state than the one that it came from.",
    status: 400,
    retry: "stop",
    remedy:
      "The database was restored from a backup, or replaced by a copy that lagged. Read again from an older cursor or from the beginning; an export, with `export run <name> --full`.",
  },
  unauthorized: {
    meaning: "The API key or the end user's token is missing, unknown, or no longer good.",
    status: 401,
    retry: "stop",
    remedy:
      "Send `Authorization: Bearer <key>`; make a key with `deskbridge keys create`, or give the end user a new token.",
  },
  forbidden: {
    meaning: "The API key lacks the scope for this route, or a download address is not good any more.",
    status: 403,
    retry: "stop",
    remedy: "Use a key with the scope named in the answer; get the attachment for a new address.",
  },
  not_found: {
    meaning: "There is nothing at this address.",
    status: 404,
    retry: "stop",
    remedy: "Check the id or the path.",
  },
  moved: {
    meaning: "The object was merged into another, which is at the address in `Location`.",
    status: 308,
    retry: "stop",
    remedy: "Follow `Location` with the same method and body, and keep the new id.",
  },
  gone: {
    meaning: "The object was erased.",
    status: 410,
    retry: "stop",
    remedy: "Forget the id; it is never given to another object.",
  },
  conflict: {
    meaning: "The request conflicts with what is stored.",
    status: 409,
    retry: "stop",
    remedy: "Read the object again and decide.",
  },
  precondition_failed: {
    meaning: "The object changed since it was read: its version is not the one named in `If-Match`.",
    status: 412,
    retry: "stop",
    remedy: "Read the object again, decide, and send the new version.",
  },
  method_not_allowed: {
    meaning: "This address does not take requests of this method.",
    status: 405,
    retry: "stop",
    remedy: "Use a method named in the answer's `Allow` header.",
  },
  unsupported_media_type: {
    meaning: "The body is not of a type that this route takes.",
    status: 415,
    retry: "stop",
    remedy:
      "Send JSON with `Content-Type: application/json`; as an attachment, a file of a type that is taken.",
  },
  idempotency_mismatch: {
    meaning: "The idempotency key was used before with another request.",
    status: 422,
    retry: "stop",
    remedy: "Use a new key for a new request.",
  },
  idempotency_in_flight: {
    meaning: "A request with the same idempotency key is still being worked on.",
    status: 409,
    retry: "retry",
    remedy: "Wait a moment and send it again.",
  },
  rate_limited: {
    meaning: "The caller sent more requests than its limit allows.",
    status: 429,
    retry: "retry_after",
    remedy: "Wait as `Retry-After` says, and keep to what `RateLimit` tells; `desk.limits` sets it.",
  },
  internal: {
    meaning: "A fault of ours.",
    status: 500,
    retry: "retry",
    remedy: "Report it with the log line that carries the same request or delivery id.",
  },
} as const satisfies Record<string, CatalogueRow>;

export type ErrorCode = keyof typeof errorCatalogue;

interface AppErrorOptions {
  readonly cause?: unknown;
  /** Facts for the operator; never a secret, never personal data. */
  readonly details?: Readonly<Record<string, unknown>>;
  /** For `retry_after` errors: how long the other side asked us to wait, in milliseconds. */
  readonly retryAfterMs?: number;
}

/** The one error class of the project. The message says what happened, what was expected and what to do. */
export class AppError extends Error {
  readonly code: ErrorCode;
  readonly details: Readonly<Record<string, unknown>>;
  readonly retryAfterMs: number | undefined;

  constructor(code: ErrorCode, message: string, options: AppErrorOptions = {}) {
    super(message, options.cause === undefined ? {} : { cause: options.cause });
    this.name = "AppError";
    this.code = code;
    this.details = options.details ?? {};
    this.retryAfterMs = options.retryAfterMs;
  }

  get retry(): RetryClass {
    return errorCatalogue[this.code].retry;
  }

  get status(): number {
    return errorCatalogue[this.code].status;
  }
}

/** Any thrown value as an `AppError`; what is not one already becomes `internal`. */
export function toAppError(error: unknown): AppError {
  if (error instanceof AppError) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new AppError("internal", message, { cause: error });
}
