import { Ajv2020 } from "ajv/dist/2020.js";
import type { ValidateFunction } from "ajv/dist/2020.js";
import formats from "ajv-formats";
import type { OpenApiDocument } from "../../src/desk/openapi.ts";

type Json = Readonly<Record<string, unknown>>;

/** One operation of the document. */
export interface Operation {
  readonly id: string;
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  readonly path: string;
  readonly definition: Json;
  /** The schema of its JSON body, undefined without one. */
  readonly body: Json | undefined;
  readonly query: readonly { readonly name: string; readonly schema: Json }[];
  readonly isStream: boolean;
  readonly takesFile: boolean;
  readonly caller: "key" | "end_user" | "anyone";
}

/** What came back for an operation. */
export interface Answered {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | undefined>>;
  /** As JSON, undefined when it is none. */
  readonly json: unknown;
}

/** Holds answers to the document. */
export interface Contract {
  readonly operations: readonly Operation[];
  /** What is wrong with an answer, in words; nothing when it is as the document says. */
  readonly faultsOf: (operation: Operation, answered: Answered) => readonly string[];
  /** A reference of the document, followed. */
  readonly follow: (part: Json) => Json;
}

export function createContract(document: OpenApiDocument): Contract {
  const closed = closeObjects(document) as OpenApiDocument;
  const ajv = new Ajv2020({ strict: false, allErrors: true });
  formats.default(ajv);
  ajv.addSchema({ $id: "document", components: closed.components });
  const validators = new Map<string, ValidateFunction>();
  const follow = (part: Json): Json => {
    const reference = part.$ref;
    if (typeof reference !== "string") return part;
    const names = reference.slice(2).split("/");
    return names.reduce<unknown>((at, name) => (at as Json)[name], closed) as Json;
  };
  const validatorOf = (name: string, schema: unknown): ValidateFunction => {
    const known = validators.get(name) ?? ajv.compile(localised(schema));
    validators.set(name, known);
    return known;
  };
  const faultsOf = (
    { id, definition }: Operation,
    { status, headers, json }: Answered,
  ): readonly string[] => {
    const responses = definition.responses as Readonly<Record<string, Json>>;
    const response = responses[status];
    if (response === undefined) return [`${id} says nothing of an answer of ${status}`];
    const { content = {}, headers: named = {} } = follow(response) as {
      readonly content?: Readonly<Record<string, { readonly schema?: unknown }>>;
      readonly headers?: Readonly<Record<string, Json>>;
    };
    const missing = Object.entries(named)
      .filter(
        ([name, header]) => follow(header).required === true && headers[name.toLowerCase()] === undefined,
      )
      .map(([name]) => `${id} ${status}: the header ${name} is missing`);
    const [[type, { schema }] = ["", {}]] = Object.entries(content);
    if (type === "" || type === "*/*" || type === "text/event-stream") return missing;
    if (headers["content-type"]?.startsWith(type) !== true) {
      return [...missing, `${id} ${status}: ${headers["content-type"]} is not ${type}`];
    }
    if (type === "text/csv") return missing;
    const validate = validatorOf(`${id} ${status}`, schema);
    if (validate(json)) return missing;
    const wrong = validate.errors ?? [];
    return [
      ...missing,
      ...wrong.map(({ instancePath, message }) => `${id} ${status}: ${instancePath} ${message}`),
    ];
  };
  return { operations: operationsOf(closed, follow), faultsOf, follow };
}

function operationsOf(document: OpenApiDocument, follow: Contract["follow"]): readonly Operation[] {
  return Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, definition]) => {
      const content = ((definition.requestBody ?? {}) as Json).content as
        | Readonly<Record<string, Json>>
        | undefined;
      const json = content?.["application/json"]?.schema as Json | undefined;
      const parameters = ((definition.parameters ?? []) as readonly Json[]).map(follow);
      const [security] = definition.security as readonly Json[];
      return {
        id: definition.operationId as string,
        method: method.toUpperCase() as Operation["method"],
        path,
        definition,
        body: json === undefined ? undefined : follow(json),
        query: parameters
          .filter((parameter) => parameter.in === "query")
          .map(({ name, schema }) => ({ name: name as string, schema: schema as Json })),
        isStream: JSON.stringify(definition.responses).includes("text/event-stream"),
        takesFile: content?.["*/*"] !== undefined,
        caller: security === undefined ? "anyone" : "endUser" in security ? "end_user" : "key",
      };
    }),
  );
}

/** Answers may grow; of the server that we test we want to know all that it answers. */
function closeObjects(part: unknown): unknown {
  if (Array.isArray(part)) return (part as unknown[]).map(closeObjects);
  if (typeof part !== "object" || part === null) return part;
  const entries = Object.entries(part).map(([name, value]): [string, unknown] => [
    name,
    // The parts of a combination each know only some of the fields.
    name === "allOf" || name === "examples" || name === "example" ? value : closeObjects(value),
  ]);
  const whole = Object.fromEntries(entries) as Json;
  const isOpen =
    whole.type === "object" && whole.properties !== undefined && whole.additionalProperties === undefined;
  return isOpen ? { ...whole, additionalProperties: false } : whole;
}

function localised(schema: unknown): Json {
  return JSON.parse(JSON.stringify(schema).replaceAll('"#/', '"document#/')) as Json;
}
