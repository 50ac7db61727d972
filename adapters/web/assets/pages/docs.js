// The API, from its own description: every route with what it takes, what it answers, why it may refuse, and how to ask it.

import { ask } from "../api.js";
import { Section, copyLine, el, link, main, state, trouble } from "../dom.js";
import { Api, codesOf, nameOf, tableOf, typeWords } from "../openapi.js";
import { begin } from "../shell.js";

/** @typedef {import("../openapi.js").Json} Json */
/** @typedef {import("../dom.js").Child} Child */

/** What a tag's section is called. @type {Record<string, string>} */
const TITLES = { pool: "The pool", miners: "Miners", admin: "Operators", health: "Health and figures" };
/** In which order. */
const ORDER = ["pool", "miners", "admin", "health"];

/** Who may ask. @type {Record<string, string>} */
const WAYS = {
  "": "everybody",
  session: "a miner with the token of a session",
  signature: "whoever signs the request with a hotkey",
  admin: "the operator with the admin token",
  operator: "the operator's browser with its cookie",
  watch: "whoever has a miner's watch token",
};

/** @type {Record<string, "good" | "bad" | "wait" | "plain">} */
const TONES = { GET: "good", POST: "wait", PUT: "wait", DELETE: "bad" };

const page = main("API", link("/openapi.json", "openapi.json"));
const search = el("input", { id: "filter", type: "search", autocomplete: "off", spellcheck: "false", placeholder: "payouts, 404, cursor …", "aria-describedby": "found" });
const found = el("span", { id: "found", class: "quiet", role: "status" });
const place = el("div", { class: "grid" });
page.append(
  el("p", { class: "lead" }, "Everything that the pool says and does goes over these routes; its own pages use nothing else."),
  el("form", { class: "docs-search", role: "search", "aria-label": "The API" }, el("label", { for: "filter" }, "Search the API ", el("kbd", {}, "/")), search, found),
  place,
);

/** A text whose words in backticks are code. @param {string} text @returns {Child[]} */
const prose = (text) => text.split("`").map((part, index) => (index % 2 === 1 ? el("code", {}, part) : part));

/** A type, its names as links. @param {Json | undefined} schema */
const typeOf = (schema) => el("span", { class: "type" }, ...typeWords(schema).map((word) => (typeof word === "string" ? word : link(`#${word.name}`, word.name))));

/**
 * Names, what they are, and what they mean.
 * @param {string} caption
 * @param {{name: string, type: Child, note?: string, text: Child[]}[]} rows
 */
const fieldList = (caption, rows) =>
  el("dl", { class: "fields", "aria-label": caption }, ...rows.map((row) => el("div", {}, el("dt", {}, el("code", {}, row.name), row.note ? el("small", {}, ` ${row.note}`) : null), el("dd", { class: "of-type" }, row.type), el("dd", {}, ...row.text))));

/** @type {Api} */
let api;
/** What each code means. @type {Map<string, string[]>} */
let codes = new Map();

/** What an object has, field by field; each choice apart if there is a choice. @param {Json | undefined} schema @param {string} caption @returns {Child[]} */
function form(schema, caption) {
  const whole = api.resolve(schema);
  const choices = whole.oneOf ?? whole.anyOf;
  if (Array.isArray(choices) && choices.some((one) => api.fields(one).length > 0)) {
    return choices.flatMap((/** @type {Json} */ one, /** @type {number} */ index) => [
      el("p", { class: "choice-of" }, index === 0 ? "Either" : "or", one.title ? el("code", {}, ` ${one.title}`) : "", one.description ? ": " : "", ...prose(one.description ?? "")),
      ...form(one, `${caption}, choice ${index + 1}`),
    ]);
  }
  const fields = api.fields(schema);
  if (fields.length === 0) return [el("p", {}, typeOf(whole))];
  const rows = fields.map((field) => ({
    name: field.name,
    type: typeOf(field.schema),
    note: field.isRequired ? "" : "may be absent",
    text: prose(field.schema.description ?? api.resolve(field.schema).description ?? ""),
  }));
  return [fieldList(caption, rows)];
}

/** The kinds of a body or an answer. @param {Json | undefined} content @param {string} caption @returns {Child[]} */
function contents(content, caption) {
  return Object.entries(content ?? {}).flatMap(([kind, body]) => {
    const name = nameOf(body.schema);
    const head = el("p", { class: "kind" }, el("code", {}, kind), name === null ? null : " ", name === null ? null : link(`#${name}`, name));
    const isText = ["text/csv", "text/plain", "application/openmetrics-text"].includes(kind);
    return [head, ...(isText ? [] : form(body.schema, `${caption}, ${kind}`))];
  });
}

/** Why a request may be refused. @param {Json} operation @returns {Child[]} */
function refusals(operation) {
  const rows = codesOf(operation).map((code) => ({ name: code, type: codes.get(code)?.[0] ?? "", text: prose(codes.get(code)?.[1] ?? "") }));
  return [el("h3", {}, "Refused as"), rows.length > 0 ? fieldList("Refusals", rows) : null, el("p", { class: "kind" }, el("code", {}, "application/problem+json"), " ", link("#Problem", "Problem"), "; ", link("#codes", "all codes"))];
}

/** One route. @param {{method: string, path: string, operation: Json}} route */
function routeOf({ method, path, operation }) {
  const parameters = /** @type {Json[]} */ (operation.parameters ?? []).map((one) => ({
    name: one.name,
    type: el("span", {}, `in the ${one.in}: `, typeOf(one.schema)),
    note: one.required ? "" : "may be absent",
    text: prose(one.description ?? ""),
  }));
  const ways = api.ways(operation).map((way) => WAYS[way] ?? way);
  const answers = Object.entries(operation.responses ?? {}).filter(([status]) => status !== "default");
  const line = api.curl(location.origin, method, path, operation);
  const summary = /** @type {string} */ (operation.summary ?? "").replaceAll("\n", " ");
  const short = firstSentence(summary);
  const isSigned = api.ways(operation)[0] === "signature";
  return el(
    "details",
    { id: operation.operationId, class: "route" },
    el("summary", {}, state(method, TONES[method] ?? "plain"), " ", el("code", {}, path.replaceAll("/", "/\u200b")), " ", el("span", { class: "quiet" }, short)),
    el(
      "div",
      { class: "route-body" },
      // Unless it is said above in full.
      summary.replace(/\.$/, "") === short ? null : el("p", {}, ...prose(summary)),
      operation.description ? el("p", {}, ...prose(operation.description)) : null,
      el("p", {}, "For ", ways.length === 0 ? "everybody" : ways.join(", or "), ". ", link(`#${operation.operationId}`, "Link to this")),
      copyLine(line, `command that asks ${method} ${path}`),
      isSigned ? el("p", { class: "kind" }, "A signature is good once and for this very request: see ", link("#ways", "who is asking"), ".") : null,
      parameters.length > 0 ? el("h3", {}, "Parameters") : null,
      parameters.length > 0 ? fieldList("Parameters", parameters) : null,
      operation.requestBody ? el("h3", {}, operation.requestBody.required ? "Body" : "Body, may be absent") : null,
      ...contents(operation.requestBody?.content, "Body"),
      ...answers.flatMap(([status, answer]) => [el("h3", {}, `Answer ${status}: `, ...prose(answer.description ?? "")), headers(answer.headers), ...contents(answer.content, `Answer ${status}`)]),
      ...refusals(operation),
    ),
  );
}

/** Headers of an answer. @param {Json | undefined} headers */
function headers(headers) {
  const rows = Object.entries(headers ?? {}).map(([name, header]) => ({ name, type: el("span", {}, "header: ", typeOf(header.schema)), text: prose(header.description ?? "") }));
  return rows.length > 0 ? fieldList("Headers", rows) : null;
}

/** @param {string} text */
const firstSentence = (text) => (text.split(/[.:](\s|$)/)[0] ?? "").replaceAll("\n", " ").replaceAll("`", "");

/** One type with its fields. @param {string} name @param {Json} schema */
const shape = (name, schema) =>
  el("details", { id: name, class: "route" }, el("summary", {}, el("code", {}, name), " ", el("span", { class: "quiet" }, firstSentence(schema.description ?? ""))), el("div", { class: "route-body" }, schema.description ? el("p", {}, ...prose(schema.description)) : null, ...form(schema, name)));

/** Opens what the address names. */
function openNamed() {
  let id = location.hash.slice(1);
  try {
    id = decodeURIComponent(id);
  } catch {
    // It is no name, then.
  }
  const named = document.getElementById(id);
  if (!named || !place.contains(named)) return;
  if (named.hidden || named.closest("[hidden]")) {
    search.value = "";
    filter();
  }
  if (named instanceof HTMLDetailsElement) {
    named.open = true;
    named.querySelector("summary")?.focus({ preventScroll: true });
  }
  named.scrollIntoView();
}

/** @param {number} n @param {string} what */
const many = (n, what) => `${n} ${what}${n === 1 ? "" : "s"}`;

/** Leaves what has all words of the search. */
function filter() {
  const words = search.value.toLowerCase().split(/\s+/).filter((word) => word !== "");
  let [routes, shapes] = [0, 0];
  for (const section of place.querySelectorAll("section")) {
    let left = 0;
    for (const details of section.querySelectorAll("details")) {
      const text = (details.textContent ?? "").toLowerCase().replaceAll("\u200b", "");
      details.hidden = !words.every((word) => text.includes(word));
      if (!details.hidden) left += 1;
    }
    if (section.id === "schemas") shapes = left;
    else routes += left;
    if (section.querySelector("details")) section.hidden = left === 0;
    else section.hidden = words.length > 0;
  }
  found.textContent = routes + shapes === 0 ? "Nothing has all of these words: try fewer of them." : `${many(routes, "route")}, ${many(shapes, "type")}`;
}

search.addEventListener("input", filter);
search.form?.addEventListener("submit", (event) => {
  // Enter opens the first that is left.
  event.preventDefault();
  const first = [...place.querySelectorAll("details")].find((details) => !details.hidden && !details.closest("[hidden]"));
  if (!first) return;
  first.open = true;
  first.querySelector("summary")?.focus();
});
addEventListener("keydown", (event) => {
  const isTyping = event.target instanceof HTMLInputElement || event.target instanceof HTMLTextAreaElement;
  if (event.key === "/" && !isTyping && !event.ctrlKey && !event.metaKey && !event.altKey) {
    event.preventDefault();
    search.focus();
  }
  if (event.key === "Escape" && event.target === search) {
    search.value = "";
    filter();
  }
});

/** @param {Json} document */
function show(document) {
  api = new Api(document);
  const introduction = tableOf(document.info?.description ?? "");
  codes = new Map(introduction.rows.slice(1).map((row) => [(row[0] ?? "").replaceAll("`", ""), row.slice(1)]));
  /** @type {Map<string, HTMLElement[]>} */
  const byTag = new Map(ORDER.map((tag) => [tag, []]));
  for (const route of api.routes) {
    const tag = route.operation.tags?.[0] ?? "others";
    byTag.set(tag, [...(byTag.get(tag) ?? []), routeOf(route)]);
  }
  const sections = [...byTag].filter(([, list]) => list.length > 0).map(([tag, list]) => {
    const section = new Section(TITLES[tag] ?? tag, { wide: true, id: `tag-${tag}` });
    section.show(...list);
    return section;
  });
  const shapes = new Section("What is sent and answered", { wide: true, id: "schemas" });
  shapes.show(...Object.entries(api.schemas).map(([name, schema]) => shape(name, schema)));
  const ways = new Section("Who is asking", { wide: true, id: "ways" });
  const schemes = Object.entries(document.components?.securitySchemes ?? {});
  ways.show(fieldList("Ways to say who is asking", schemes.map(([name, scheme]) => ({ name, type: scheme.type === "http" ? `Authorization: ${scheme.scheme}` : `${scheme.in}: ${scheme.name}`, text: prose(scheme.description ?? "") }))));
  const general = new Section("What holds for all routes", { wide: true, id: "codes" });
  general.show(
    ...introduction.before.split("\n\n").map((part) => el("p", {}, ...prose(part.replaceAll("\n", " ")))),
    fieldList("Codes of refusals", [...codes].map(([name, [status, meaning]]) => ({ name, type: status ?? "", text: prose(meaning ?? "") }))),
    introduction.after === "" ? null : el("p", {}, ...prose(introduction.after)),
  );
  place.replaceChildren(...[...sections, shapes, ways, general].map((section) => section.element));
  filter();
  openNamed();
}

let isShown = false;
addEventListener("hashchange", openNamed);
void begin({
  refresh: async () => {
    // It is the same for as long as this pool runs.
    if (isShown) return;
    try {
      show(await ask("/openapi.json"));
      isShown = true;
    } catch (error) {
      if (/** @type {{status?: number}} */ (error).status === 0) throw error;
      place.replaceChildren(el("div", { class: "card wide" }, trouble(error, "the description of the API")));
    }
  },
});
