// The API, from its own description: every route with what it takes and what it answers.

import { ask } from "../api.js";
import { Section, el, facts, link, main } from "../dom.js";
import { begin } from "../shell.js";

/** @typedef {Record<string, any>} Json */

/** What a tag's section is called. @type {Record<string, string>} */
const TITLES = { pool: "The pool", miners: "Miners", admin: "Operators", health: "Health and figures" };

const page = main("API", link("/openapi.json", "openapi.json"));
const place = el("div", { class: "grid" });
page.append(place);

/** A text whose words in backticks are code. @param {string} text */
const prose = (text) => text.split("`").map((part, index) => (index % 2 === 1 ? el("code", {}, part) : part));

/** The name at the end of a reference. @param {string} reference */
const nameOf = (reference) => reference.split("/").at(-1) ?? reference;

/** A schema in a word or a link. @param {Json | undefined} schema @returns {Node | string} */
function typeOf(schema) {
  if (schema === undefined) return "";
  if (typeof schema.$ref === "string") return link(`#${nameOf(schema.$ref)}`, nameOf(schema.$ref));
  const choices = schema.oneOf ?? schema.anyOf ?? schema.allOf;
  if (Array.isArray(choices)) {
    return el("span", {}, ...choices.flatMap((/** @type {Json} */ one, /** @type {number} */ index) => (index > 0 ? [" or ", typeOf(one)] : [typeOf(one)])));
  }
  if (Array.isArray(schema.enum)) return schema.enum.join(" | ");
  const kind = Array.isArray(schema.type) ? schema.type.join(" or ") : (schema.type ?? "anything");
  if (kind === "array") return el("span", {}, "list of ", typeOf(schema.items));
  return schema.format ? `${kind} (${schema.format})` : kind;
}

/** The schemas of a body or an answer. @param {Json | undefined} content */
const bodies = (content) => Object.entries(content ?? {}).map(([kind, body]) => el("div", {}, el("code", {}, kind), " ", typeOf(body.schema)));

/** One route. @param {string} method @param {string} path @param {Json} operation */
function route(method, path, operation) {
  const parameters = (operation.parameters ?? []).map((/** @type {Json} */ one) => {
    const needed = one.required ? ", required" : "";
    return [el("code", {}, one.name), el("div", {}, `${one.in}${needed}, `, typeOf(one.schema)), el("div", {}, ...prose(one.description ?? ""))];
  });
  const answers = Object.entries(operation.responses ?? {}).map(([status, answer]) => [
    el("code", {}, status),
    el("div", {}, ...prose(answer.description ?? "")),
    ...bodies(answer.content),
  ]);
  return el(
    "details",
    { id: operation.operationId },
    el("summary", {}, el("code", {}, `${method.toUpperCase()} ${path}`)),
    el("p", {}, ...prose(operation.summary ?? "")),
    operation.description ? el("p", {}, ...prose(operation.description)) : null,
    parameters.length > 0 ? el("h3", {}, "Takes") : null,
    parameters.length > 0 ? facts(parameters) : null,
    operation.requestBody ? el("h3", {}, "Body") : null,
    ...bodies(operation.requestBody?.content),
    el("h3", {}, "Answers"),
    facts(answers),
  );
}

/** One schema with its fields. @param {string} name @param {Json} schema */
function shape(name, schema) {
  const required = new Set(schema.required ?? []);
  const fields = Object.entries(schema.properties ?? {}).map(([field, what]) => [
    el("code", {}, field),
    el("div", {}, typeOf(what), required.has(field) ? "" : ", may be absent"),
    el("div", {}, ...prose(what.description ?? "")),
  ]);
  return el(
    "details",
    { id: name },
    el("summary", {}, el("code", {}, name)),
    schema.description ? el("p", {}, ...prose(schema.description)) : null,
    fields.length > 0 ? facts(fields) : el("p", {}, typeOf(schema)),
  );
}

/** Opens what the address names. */
function openNamed() {
  const named = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (named instanceof HTMLDetailsElement) {
    named.open = true;
    named.scrollIntoView();
  }
}

/** @param {Json} api */
function show(api) {
  /** @type {Map<string, Section>} */
  const sections = new Map();
  /** @type {Map<string, HTMLElement[]>} */
  const routes = new Map();
  for (const [path, methods] of Object.entries(api.paths)) {
    for (const [method, operation] of Object.entries(/** @type {Json} */ (methods))) {
      const tag = operation.tags?.[0] ?? "others";
      routes.set(tag, [...(routes.get(tag) ?? []), route(method, path, operation)]);
    }
  }
  for (const [tag, list] of routes) {
    const section = new Section(TITLES[tag] ?? tag, { wide: true, id: `tag-${tag}` });
    section.show(...list);
    sections.set(tag, section);
  }
  const shapes = new Section("What is sent and answered", { wide: true, id: "schemas" });
  shapes.show(...Object.entries(api.components?.schemas ?? {}).map(([name, schema]) => shape(name, schema)));
  place.replaceChildren(...[...sections.values(), shapes].map((section) => section.element));
  openNamed();
}

let isShown = false;
addEventListener("hashchange", openNamed);
void begin({
  refresh: async () => {
    // It is the same as long as this pool runs.
    if (!isShown) show(await ask("/openapi.json"));
    isShown = true;
  },
});
