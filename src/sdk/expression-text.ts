import { AppError } from "../errors.ts";
import { checkExpression } from "./expression.ts";
import type { Expression, ResultKind } from "./expression.ts";
import type { Bindings, ExpressionEnvironment } from "./expression-environment.ts";
import type { ExpressionProblem } from "./expression-fault.ts";
import { toText } from "./expression-result.ts";

/** A piece of a text: what is written out, or the CEL between `{{` and `}}`. Offsets count from the start of the text. */
export type TextPart =
  | { readonly kind: "literal"; readonly text: string; readonly offset: number }
  | { readonly kind: "hole"; readonly text: string; readonly offset: number };

export type SplitText =
  | { readonly ok: true; readonly parts: readonly TextPart[] }
  | { readonly ok: false; readonly problem: ExpressionProblem };

/** Cuts a text at its holes. `}}` inside a CEL string or a CEL map does not end a hole. */
export function splitHoles(text: string): SplitText {
  const parts: TextPart[] = [];
  let at = 0;
  for (let open = text.indexOf("{{"); open >= 0; open = text.indexOf("{{", at)) {
    if (open > at) parts.push({ kind: "literal", text: text.slice(at, open), offset: at });
    const close = endOfHole(text, open + 2);
    if (close === undefined) {
      return { ok: false, problem: { message: "`{{` is not closed; expected `}}`", offset: open } };
    }
    parts.push({ kind: "hole", text: text.slice(open + 2, close), offset: open + 2 });
    at = close + 2;
  }
  if (at < text.length) parts.push({ kind: "literal", text: text.slice(at), offset: at });
  return { ok: true, parts };
}

function endOfHole(text: string, start: number): number | undefined {
  let depth = 0;
  for (let index = start; index < text.length; index += 1) {
    const character = text[index];
    if (character === '"' || character === "'") {
      const end = endOfString(text, index, character);
      if (end === undefined) return undefined;
      index = end;
    } else if (character === "{") depth += 1;
    else if (character === "}") {
      if (depth === 0) {
        if (text[index + 1] === "}") return index;
      } else depth -= 1;
    }
  }
  return undefined;
}

function endOfString(text: string, start: number, quote: string): number | undefined {
  const fence = text.startsWith(quote.repeat(3), start) ? quote.repeat(3) : quote;
  for (let index = start + fence.length; index < text.length; index += 1) {
    if (text[index] === "\\") index += 1;
    else if (text.startsWith(fence, index)) return index + fence.length - 1;
  }
  return undefined;
}

/** A text with holes, compiled. */
export interface TextTemplate {
  /** What it gives: always text, unless the text is exactly one hole, which keeps its type. */
  readonly kind: ResultKind;
  /** The one hole that the whole text is. */
  readonly single: Expression | undefined;
  /** True when there are no holes: it gives the same every time. */
  readonly constant: boolean;
  /** Throws `mapping_failed` when a hole fails or gives what has no place in a text. */
  readonly evaluate: (bindings: Bindings) => unknown;
}

export type CompiledText =
  | { readonly ok: true; readonly template: TextTemplate }
  | { readonly ok: false; readonly problems: readonly ExpressionProblem[] };

/** Compiles a text with holes, or says all that is wrong with it and where. */
export function checkText(text: string, environment: ExpressionEnvironment): CompiledText {
  const split = splitHoles(text);
  if (!split.ok) return { ok: false, problems: [split.problem] };
  const problems: ExpressionProblem[] = [];
  const pieces: (string | Expression)[] = [];
  for (const part of split.parts) {
    if (part.kind === "literal") {
      pieces.push(part.text);
      continue;
    }
    const compiled = checkExpression(part.text, environment);
    if (compiled.ok) {
      const refusal = split.parts.length > 1 ? refusalInText(compiled.expression) : undefined;
      if (refusal !== undefined) problems.push({ message: refusal, offset: part.offset + indent(part.text) });
      pieces.push(compiled.expression);
    } else {
      const { message, offset } = compiled.problem;
      problems.push({ message, offset: part.offset + offset });
    }
  }
  return problems.length > 0 ? { ok: false, problems } : { ok: true, template: templateOf(pieces) };
}

function indent(text: string): number {
  return text.length - text.trimStart().length;
}

function refusalInText({ kind, type, text }: Expression): string | undefined {
  if (/^\s*maybe\s*\(/.test(text))
    return "maybe() leaves a value out and so stands alone; inside a text use orDefault()";
  if (kind === "list" || kind === "object" || kind === "null" || kind === "other") {
    return `this gives ${type}, which has no place in a text; expected text, a number or a boolean`;
  }
  return undefined;
}

function templateOf(pieces: readonly (string | Expression)[]): TextTemplate {
  const [first] = pieces;
  if (pieces.length === 1 && typeof first === "object") {
    return { kind: first.kind, single: first, constant: false, evaluate: first.evaluate };
  }
  if (pieces.every((piece) => typeof piece === "string")) {
    const text = pieces.join("");
    return { kind: "text", single: undefined, constant: true, evaluate: () => text };
  }
  return {
    kind: "text",
    single: undefined,
    constant: false,
    evaluate: (bindings) => joined(pieces, bindings),
  };
}

function joined(pieces: readonly (string | Expression)[], bindings: Bindings): string {
  let result = "";
  for (const piece of pieces) {
    if (typeof piece === "string") {
      result += piece;
      continue;
    }
    const text = toText(piece.evaluate(bindings));
    if (text === undefined) {
      const reason = "it gives a list, an object or null, which has no place in a text";
      throw new AppError("mapping_failed", `\`${piece.text.trim()}\` failed: ${reason}.`, {
        details: { expression: piece.text, reason },
      });
    }
    result += text;
  }
  return result;
}
