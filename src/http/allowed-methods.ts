/** Which methods the addresses of a server take. */
export interface AllowedMethods {
  /** Notes a route. Its address is written as the router has it: `/tickets/:id`, `/files/*`. */
  readonly note: (url: string, methods: string | readonly string[]) => void;
  /** The methods of an address that was asked for, `OPTIONS` last; none where there is nothing. */
  readonly at: (address: string) => readonly string[];
}

interface Pattern {
  readonly segments: readonly string[];
  readonly methods: readonly string[];
}

const order = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];

export function createAllowedMethods(): AllowedMethods {
  const patterns: Pattern[] = [];
  return {
    note: (url, methods) => {
      patterns.push({ segments: url.split("/"), methods: [methods].flat() });
    },
    at: (address) => {
      const segments = pathOf(address).split("/");
      const found = patterns.filter((pattern) => matches(pattern.segments, segments));
      const methods = new Set(found.flatMap((pattern) => pattern.methods));
      const allowed = order.filter((method) => methods.has(method));
      // A route for OPTIONS alone answers browsers on behalf of others; it makes no address.
      return allowed.length === 0 ? [] : [...allowed, "OPTIONS"];
    },
  };
}

function pathOf(address: string): string {
  const [path = ""] = address.split("?", 1);
  try {
    return decodeURI(path);
  } catch {
    return path;
  }
}

function matches(pattern: readonly string[], segments: readonly string[]): boolean {
  const rest = pattern.at(-1) === "*";
  const words = rest ? pattern.slice(0, -1) : pattern;
  if (rest ? segments.length <= words.length : segments.length !== words.length) return false;
  return words.every((word, index) =>
    word.startsWith(":") ? segments[index] !== "" : segments[index] === word,
  );
}
