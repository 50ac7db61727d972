// What an OpenAPI document says, in words: types, who may ask, examples, and lines for a shell.

/** @typedef {Record<string, any>} Json */

/** Reads one document. */
export class Api {
  /** @param {Json} document */
  constructor(document) {
    this.document = document;
    /** @type {Json} */
    this.schemas = document.components?.schemas ?? {};
  }

  /** Every route, in the order of the document. @returns {{method: string, path: string, operation: Json}[]} */
  get routes() {
    return Object.entries(this.document.paths ?? {}).flatMap(([path, methods]) =>
      Object.entries(/** @type {Json} */ (methods)).map(([method, operation]) => ({ method: method.toUpperCase(), path, operation })),
    );
  }

  /** The schema itself, however it is named. @param {Json | undefined} schema @returns {Json} */
  resolve(schema) {
    const name = nameOf(schema);
    return name === null ? (schema ?? {}) : this.resolve(this.schemas[name]);
  }

  /**
   * The fields of an object, those of each of its parts among them.
   * @param {Json | undefined} schema
   * @returns {{name: string, schema: Json, isRequired: boolean}[]}
   */
  fields(schema) {
    const whole = this.resolve(schema);
    const required = new Set(whole.required ?? []);
    const own = Object.entries(whole.properties ?? {}).map(([name, what]) => ({ name, schema: /** @type {Json} */ (what), isRequired: required.has(name) }));
    return [...(whole.allOf ?? []).flatMap((/** @type {Json} */ one) => this.fields(one)), ...own];
  }

  /** Something of this form. @param {Json | undefined} schema @param {string} [name] Of the field that it is for. @param {number} [depth] @returns {any} */
  sample(schema, name = "value", depth = 0) {
    const whole = this.resolve(schema);
    if (whole.examples?.length > 0) return whole.examples[0];
    if (whole.example !== undefined) return whole.example;
    if (whole.enum) return whole.enum[0];
    if (whole.const !== undefined) return whole.const;
    const choice = whole.oneOf?.[0] ?? whole.anyOf?.[0];
    if (choice) return this.sample(choice, name, depth + 1);
    const kind = kinds(whole)[0];
    if (kind === "object" || whole.properties || whole.allOf) {
      // Deeper than anybody reads.
      if (depth > 4) return {};
      const fields = this.fields(whole).filter((field) => field.isRequired || depth === 0);
      return Object.fromEntries(fields.map((field) => [field.name, this.sample(field.schema, field.name, depth + 1)]));
    }
    if (kind === "array") return [this.sample(whole.items, name.replace(/s$/, ""), depth + 1)];
    if (kind === "integer" || kind === "number") return whole.minimum ?? 1;
    if (kind === "boolean") return true;
    if (kind === "null") return null;
    return name.toUpperCase();
  }

  /**
   * Who may ask: a choice of ways, each by its name; none if everybody may.
   * @param {Json} operation
   * @returns {string[]}
   */
  ways(operation) {
    const security = operation.security ?? this.document.security ?? [];
    return security.map((/** @type {Json} */ one) => Object.keys(one)[0] ?? "");
  }

  /**
   * A line for a shell that asks this.
   * @param {string} origin @param {string} method @param {string} path @param {Json} operation
   */
  curl(origin, method, path, operation) {
    const parameters = /** @type {Json[]} */ (operation.parameters ?? []);
    const query = parameters.filter((one) => one.in === "query" && one.required).map((one) => `${one.name}=${this.sample(one.schema, one.name)}`);
    const address = `${origin}${path.replaceAll(/\{(\w+)\}/g, (_, name) => name.toUpperCase())}${query.length > 0 ? `?${query.join("&")}` : ""}`;
    const body = operation.requestBody?.content?.["application/json"];
    const parts = ["curl"];
    // It ends when the reader does.
    if (isStream(operation)) parts.push("-N");
    if (method !== "GET") parts.push("-X", method);
    parts.push(...this.headersOf(operation).flatMap((header) => ["-H", quoted(header)]));
    if (body) parts.push("-H", quoted("Content-Type: application/json"), "-d", quoted(JSON.stringify(this.sample(body.schema))));
    parts.push(/^[\w:/.@-]+$/.test(address) ? address : quoted(address));
    return parts.join(" ");
  }

  /** What says who is asking. @param {Json} operation */
  headersOf(operation) {
    const ways = this.ways(operation);
    if (ways.includes("session")) return ["Authorization: Bearer SESSION_TOKEN"];
    if (ways.includes("admin")) return ["Authorization: Bearer ADMIN_TOKEN"];
    if (ways.includes("signature")) {
      const names = ["Version: 1", "Hotkey: HOTKEY", "Receiver: POOL_HOTKEY", "Nonce: NANOSECONDS", "Signature: SIGNATURE"];
      return names.map((name) => `X-Bittensor-${name}`);
    }
    if (ways.includes("watch")) return ["Authorization: Watch WATCH_TOKEN"];
    if (ways.includes("operator")) return ["Cookie: dwarves_operator=COOKIE", "X-CSRF-Token: CSRF"];
    return [];
  }
}

/** The name that a reference ends with; null if it is none. @param {Json | undefined} schema @returns {string | null} */
export function nameOf(schema) {
  return typeof schema?.$ref === "string" ? (schema.$ref.split("/").at(-1) ?? null) : null;
}

/** Its types; null is none of them. @param {Json} schema @returns {string[]} */
const kinds = (schema) => [schema.type ?? []].flat().filter((kind) => kind !== "null");

/** Whether the answer goes on and on. @param {Json} operation */
export const isStream = (operation) => Object.values(operation.responses ?? {}).some((answer) => answer.content?.["text/event-stream"] !== undefined);

/** A text as one word of a shell. @param {string} text */
export const quoted = (text) => `'${text.replaceAll("'", `'\\''`)}'`;

/**
 * A type in words: some of them are names of other types.
 * @param {Json | undefined} schema
 * @returns {(string | {name: string})[]}
 */
export function typeWords(schema) {
  if (schema === undefined) return [];
  const name = nameOf(schema);
  if (name !== null) return [{ name }];
  const choices = schema.oneOf ?? schema.anyOf ?? schema.allOf;
  if (Array.isArray(choices)) return joined(choices.map(typeWords), " or ");
  if (Array.isArray(schema.enum)) return [schema.enum.map((one) => JSON.stringify(one)).join(" or ")];
  if (schema.const !== undefined) return [JSON.stringify(schema.const)];
  const all = [schema.type ?? "anything"].flat();
  const types = all.map((kind) => {
    if (kind === "array") return ["list of ", ...typeWords(schema.items ?? {})];
    if (kind === "object" && schema.additionalProperties instanceof Object && !schema.properties) return ["object of ", ...typeWords(schema.additionalProperties)];
    return [kind === "string" && schema.format ? (FORMATS[schema.format] ?? `string (${schema.format})`) : kind];
  });
  const limits = bounds(schema);
  return [...joined(types, " or "), ...(limits === "" ? [] : [`, ${limits}`])];
}

/** Formats of texts, as people call them. @type {Record<string, string>} */
const FORMATS = { "date-time": "instant (RFC 3339)", binary: "bytes" };

/** @template T @param {T[][]} lists @param {T} between */
const joined = (lists, between) => lists.flatMap((list, index) => (index > 0 ? [between, ...list] : list));

/** What a value has to keep to besides. @param {Json} schema */
function bounds(schema) {
  const { minimum: low, maximum: high, minItems, maxItems, minLength, maxLength } = schema;
  const range = (/** @type {number | undefined} */ least, /** @type {number | undefined} */ most, /** @type {string} */ of) => {
    if (least !== undefined && most !== undefined) return `${least} to ${most}${of}`;
    if (most !== undefined) return `at most ${most}${of}`;
    return least === undefined ? "" : `at least ${least}${of}`;
  };
  return [range(low, high, ""), range(minItems, maxItems, " of them"), range(minLength, maxLength, " characters"), schema.pattern ? `like ${schema.pattern}` : ""].filter((one) => one !== "").join(", ");
}

/** The codes with which an operation may be refused. @param {Json} operation @returns {string[]} */
export function codesOf(operation) {
  const text = /** @type {string} */ (operation.responses?.default?.description ?? "");
  return (text.split("codes: ")[1] ?? "").split(",").map((code) => code.trim()).filter((code) => /^\w+$/.test(code));
}

/**
 * The rows of the first table of a text in Markdown, its text before and after it.
 * @param {string} text
 * @returns {{before: string, rows: string[][], after: string}}
 */
export function tableOf(text) {
  const lines = text.split("\n");
  const first = lines.findIndex((line) => line.startsWith("|"));
  if (first < 0) return { before: text, rows: [], after: "" };
  let end = first;
  while (lines[end]?.startsWith("|")) end += 1;
  const rows = lines.slice(first, end).map((line) => line.split("|").slice(1, -1).map((cell) => cell.trim()));
  return { before: lines.slice(0, first).join("\n").trim(), rows: rows.filter((row, index) => index !== 1 || !row.every((cell) => /^-+$/.test(cell))), after: lines.slice(end).join("\n").trim() };
}
