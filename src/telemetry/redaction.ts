/** What stands in a log line where something was taken out. */
export const redacted = "[redacted]";

/** Values shorter than this are not looked for: they would blot out half of every line. */
export const shortestSecret = 6;

/**
 * Takes secrets and personal data out of what is about to leave the process. Known secret values go wherever they stand, also inside a JSON
 * string or URL-encoded; values under sensitive keys go whole; e-mail addresses, phone numbers and credentials in URLs go from any text.
 */
export interface Redactor {
  /** A line of JSON as it may be written. A line that is not JSON is treated as text. */
  readonly line: (json: string) => string;
  readonly text: (text: string) => string;
  /** More secret values to look for, after the configuration was loaded again. Those known before stay known. */
  readonly add: (secrets: readonly string[]) => void;
}

export function createRedactor(secrets: readonly string[] = []): Redactor {
  const known = new Set<string>();
  let secretPattern = neverMatches;

  const add = (more: readonly string[]): void => {
    for (const secret of more.flatMap(worthHiding)) {
      for (const form of writtenForms(secret)) known.add(form);
    }
    if (known.size > 0) secretPattern = patternOf(known);
  };
  const holdsSecret = (input: string): boolean => input.search(secretPattern) !== -1;
  const text = (input: string): string => scrubPatterns(input.replace(secretPattern, redacted));
  const line = (json: string): string => {
    if (!holdsSecret(json) && !suspicious.test(json)) return json;
    const done = redactLine(json, text);
    // Escaping can put together what was in no value; such a line is not worth keeping.
    return holdsSecret(done) ? `${JSON.stringify({ msg: redacted })}\n` : done;
  };

  add(secrets);
  return { line, text, add };
}

const neverMatches = /$^/g;

// A key of several lines (PEM) can surface a line at a time.
function worthHiding(secret: string): string[] {
  const lines = secret.split(/\r?\n/).filter((part) => part.length >= 16);
  return [secret, secret.trim(), ...lines].filter((part) => part.length >= shortestSecret);
}

function writtenForms(secret: string): string[] {
  const wellFormed = secret.toWellFormed();
  const encoded = encodeURIComponent(wellFormed);
  const inJson = JSON.stringify(secret).slice(1, -1);
  return [
    secret,
    wellFormed,
    inJson,
    JSON.stringify(inJson).slice(1, -1),
    encoded,
    encoded.replaceAll("%20", "+"),
    encoded.replace(/%[0-9A-F]{2}/g, (code) => code.toLowerCase()),
    encodeURI(wellFormed),
    new URLSearchParams([["", wellFormed]]).toString().slice(1),
  ];
}

function patternOf(forms: Iterable<string>): RegExp {
  const longestFirst = [...forms].sort((a, b) => b.length - a.length);
  return new RegExp(longestFirst.map((form) => form.replace(/[\\^$.*+?()[\]{}|/-]/g, "\\$&")).join("|"), "g");
}

const sensitiveKey =
  /^(authorization|proxyauthorization|cookies?|setcookie|headers|raw|body|payload|data|text|html|note|comment|email|emails|phone|phones|mobile|name|(first|last|full|middle|customer|requester|contact)name|address|(street|shipping|billing|home|ip|remote)address|street|line1|line2|city|zip|postalcode|ip)$|(password|passwd|passphrase|pwd|secret|token|credential|apikey|accesskey|privatekey|signingkey|email|phone|phonenumber)s?$/;

// Looser than what is taken out, so that a line without any of it is passed on without being parsed.
const suspicious =
  /(auth|cookie|header|raw|body|payload|data|text|html|note|comment|mail|phone|mobile|name|addr|street|line[12]|city|zip|postal|ip|passw|passphrase|pwd|secret|token|credential|key)[^":]{0,40}":|@|\+\d{8}|:\/\/[^\s/"]*:|[?&][\w.-]+=|\b(bearer|basic)\s/i;

const textPatterns: readonly (readonly [RegExp, string])[] = [
  [/(\/\/)[^\s/@"']+@/g, `$1${redacted}@`],
  [/\b(bearer|basic)\s+[\w.~+/=-]+/gi, `$1 ${redacted}`],
  [
    /([?&](?:[\w.-]*(?:token|secret|password|passwd|key|signature|sig|hmac|code|email|phone|name))=)[^&\s"'#]+/gi,
    `$1${redacted}`,
  ],
  [/[\p{L}\d_.!#$%&'*+/=?^`{|}~-]{1,64}@[\p{L}\d-]{1,63}(?:\.[\p{L}\d-]{1,63})+/gu, redacted],
  [/\+\d{8,15}(?!\d)/g, redacted],
];

function scrubPatterns(text: string): string {
  return textPatterns.reduce((done, [pattern, replacement]) => done.replace(pattern, replacement), text);
}

function redactLine(json: string, scrub: (text: string) => string): string {
  const end = json.endsWith("\n") ? "\n" : "";
  let parsed: unknown;
  try {
    parsed = JSON.parse(json);
  } catch {
    return `${scrub(json.slice(0, json.length - end.length))}${end}`;
  }
  return JSON.stringify(redactValue(parsed, scrub, "")) + end;
}

function redactValue(value: unknown, scrub: (text: string) => string, key: string): unknown {
  const isFact = value === null || value === undefined || typeof value === "boolean";
  if (isFact) return value;
  if (key !== "" && sensitiveKey.test(key.replace(/[-_ .]/g, "").toLowerCase())) return redacted;
  if (typeof value === "string") return scrub(value);
  if (typeof value === "number") return scrub(String(value)) === String(value) ? value : redacted;
  if (Array.isArray(value)) return value.map((item: unknown) => redactValue(item, scrub, ""));
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => [scrub(name), redactValue(item, scrub, name)]),
  );
}
