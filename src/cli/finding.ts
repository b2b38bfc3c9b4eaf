/** One thing that `doctor` looked at. `detail` says what was found and, when it is not ok, what to do about it. */
export interface Finding {
  readonly name: string;
  /** A warning is worth a look and fails nothing. */
  readonly state: "ok" | "warning" | "failed";
  readonly detail: string;
}

export function ok(name: string, detail: string): Finding {
  return { name, state: "ok", detail };
}

export function warning(name: string, detail: string): Finding {
  return { name, state: "warning", detail };
}

export function failed(name: string, detail: string): Finding {
  return { name, state: "failed", detail };
}
