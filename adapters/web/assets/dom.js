// Puts pages together. Whatever comes from outside becomes text, never markup.

import * as format from "./format.js";

/** @typedef {Node | string | number | null | undefined | false} Child */

/**
 * An element. Properties that begin with `on` are listeners; `class`, `href` and all others are attributes; null, undefined and
 * false leave an attribute out.
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} name
 * @param {Record<string, unknown>} [properties]
 * @param {...(Child | Child[])} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function el(name, properties = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on") && typeof value === "function") {
      element.addEventListener(key.slice(2), /** @type {EventListener} */ (value));
    } else {
      element.setAttribute(key, value === true ? "" : String(value));
    }
  }
  append(element, children);
  return element;
}

/** @param {Node} parent @param {(Child | Child[])[]} children */
export function append(parent, children) {
  for (const child of children.flat()) {
    if (child === null || child === undefined || child === false) continue;
    parent.appendChild(child instanceof Node ? child : document.createTextNode(String(child)));
  }
}

/**
 * A link within the pool.
 * @param {string} href @param {...Child} children
 */
export const link = (href, ...children) => el("a", { href }, ...children);

/** A figure, with the API's own number beside what people read. @param {number | bigint | string} value @param {string} text
 * @param {string} [title] */
export const figure = (value, text, title) => el("data", { value, title }, text);

/** Sats as coins, with the sats on hover. @param {number | bigint | string} sats @param {boolean} [named] */
export function money(sats, named = true) {
  const text = format.coins(sats);
  const shown = figure(sats, named ? `${text} ${format.coinName()}` : text, `${format.count(BigInt(sats))} sats`);
  if (BigInt(sats) === 0n) shown.className = "quiet";
  return shown;
}

/** @param {number | null | undefined} value @param {number | null} [error] A relative standard error. */
export function hashrate(value, error) {
  if (value === null || value === undefined) return el("span", { class: "quiet" }, "–");
  const band = error !== null && error !== undefined && Number.isFinite(error) ? `± ${format.percent(error, error < 0.1 ? 1 : 0)}` : null;
  return el("span", {}, figure(value, format.hashrate(value), `${format.significant(value, 6)} hashes a second`), band && el("span", { class: "band" }, ` ${band}`));
}

/** A moment in local time, with UTC on hover. @param {string | null | undefined} instant
 * @param {{ago?: boolean, isDue?: boolean}} [how] Whether it is said as an age, and whether what is over is due now. */
export function time(instant, how = {}) {
  if (instant === null || instant === undefined) return el("span", { class: "quiet" }, "–");
  const date = new Date(instant);
  if (Number.isNaN(date.getTime())) return el("span", {}, instant);
  const local = format.localTime(date);
  const element = el("time", { datetime: instant, title: format.utcTime(date) }, how.ago ? aged(date, how.isDue === true) : local);
  if (how.ago) {
    element.dataset.ago = how.isDue ? "due" : "";
    element.title = `${local} here, ${format.utcTime(date)}`;
  }
  return element;
}

/** @param {Date} date @param {boolean} isDue */
const aged = (date, isDue) => (isDue && date.getTime() <= Date.now() ? "now" : format.relative(date));

// What is said as an age goes on by itself.
setInterval(() => {
  for (const element of document.querySelectorAll("time[data-ago]")) {
    const { dateTime, dataset } = /** @type {HTMLTimeElement} */ (element);
    const text = aged(new Date(dateTime), dataset.ago === "due");
    if (element.textContent !== text) element.textContent = text;
  }
}, 1000);

/** A long name that is shown by its ends. @param {string} text @param {string} [href] */
export function name(text, href) {
  const short = el("span", { class: "mono", title: text }, format.shortened(text));
  return href === undefined ? short : el("a", { href, class: "mono", title: text }, format.shortened(text));
}

/** A word for a state, in its colour. @param {string} word @param {"good" | "bad" | "wait" | "plain"} tone @param {string} [title] */
export const state = (word, tone, title) => el("span", { class: `state ${tone}`, title }, word);

/** A button that copies a text, and says so. @param {string} text @param {string} what */
export function copyButton(text, what) {
  const button = el("button", { type: "button", class: "small", "aria-label": `Copy ${what}` }, "Copy");
  button.addEventListener("click", async () => {
    button.textContent = (await copied(text)) ? "Copied" : "Select it by hand";
    setTimeout(() => (button.textContent = "Copy"), 2000);
  });
  return button;
}

/** @param {string} text */
async function copied(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // Without TLS browsers have no clipboard for scripts; the older way still works.
    const area = el("textarea", { class: "offscreen", "aria-hidden": "true" }, text);
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  }
}

/** A line that can be copied. @param {string} text @param {string} what */
export const copyLine = (text, what) =>
  el("span", { class: "copy" }, el("code", { tabindex: "0", role: "group", "aria-label": what }, text), copyButton(text, what));

/** A list of names and what they are. @param {(readonly [string | Node, ...Child[]] | null | false)[]} rows */
export function facts(rows) {
  const list = el("dl", { class: "facts" });
  for (const row of rows) {
    if (!row) continue;
    const [term, ...values] = row;
    list.append(el("div", {}, el("dt", {}, term), el("dd", {}, ...values)));
  }
  return list;
}

/** A section with a heading, whose body is put in anew whenever there is news. */
export class Section {
  /** @param {string} title @param {{id?: string, wide?: boolean, note?: string}} [how] */
  constructor(title, how = {}) {
    const id = how.id ?? title.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-");
    this.heading = el("h2", { id: `${id}-heading` }, title);
    this.body = el("div", { class: "body" }, el("p", { class: "quiet" }, "Loading …"));
    this.element = el("section", { id, class: how.wide ? "card wide" : "card", "aria-labelledby": `${id}-heading` }, this.heading, how.note ? el("p", { class: "lead" }, how.note) : null, this.body);
  }

  /** Shows this, and keeps the focus where it was. @param {...Child} children */
  show(...children) {
    replace(this.body, children);
  }

  /** Says why there is nothing to show. @param {unknown} error @param {string} what */
  refuse(error, what) {
    this.show(trouble(error, what));
  }
}

/** What has the focus inside `root`, so that it can be found again. @param {Element} root */
function focusIn(root) {
  const active = document.activeElement;
  if (!active || !root.contains(active)) return null;
  const all = [...root.querySelectorAll("a, button, input, select, textarea, summary, [tabindex]")];
  return { index: all.indexOf(active), tag: active.tagName };
}

/** Whether an element shows this already: then nothing moves under a finger. @param {HTMLElement} element @param {Child[]} children */
function isShown(element, children) {
  const wanted = children.flat().filter((child) => child !== null && child !== undefined && child !== false);
  const isThere = (/** @type {Child} */ child, /** @type {number} */ index) => {
    const there = element.childNodes[index];
    if (!(child instanceof Node)) return there instanceof Text && there.data === String(child);
    // What is in it already has to be in its place.
    return child === there || (!element.contains(child) && child.isEqualNode(there ?? null));
  };
  return wanted.length === element.childNodes.length && wanted.every(isThere);
}

/** Puts other children into an element. Focus, scroll and opened details stay. @param {HTMLElement} element @param {Child[]} children */
export function replace(element, children) {
  // Whoever is just selecting something gets the news with the next one.
  const selection = document.getSelection();
  if (selection && !selection.isCollapsed && selection.anchorNode && element.contains(selection.anchorNode)) return;
  if (isShown(element, children)) return;
  const focus = focusIn(element);
  const scrolls = [...element.querySelectorAll(".scroll")].map((box) => box.scrollLeft);
  const opened = [...element.querySelectorAll("details")].map((details) => details.open);
  element.replaceChildren();
  append(element, children);
  element.querySelectorAll(".scroll").forEach((box, index) => (box.scrollLeft = scrolls[index] ?? 0));
  element.querySelectorAll("details").forEach((details, index) => (details.open = opened[index] ?? details.open));
  if (focus) {
    const again = element.querySelectorAll("a, button, input, select, textarea, summary, [tabindex]")[focus.index];
    if (again instanceof HTMLElement && again.tagName === focus.tag) again.focus({ preventScroll: true });
  }
}

/** What went wrong, and what to do. @param {unknown} error @param {string} what */
export function trouble(error, what) {
  const refusal = /** @type {{isHidden?: boolean, status?: number, message?: string}} */ (error);
  if (refusal.isHidden) {
    return el("p", { class: "empty" }, `Only the owner and the operator see ${what}. Its owner can hand out a link that shows it: `, el("code", {}, "dwarves watch create --hotkey FILE"), ".");
  }
  if (refusal.status === 0) {
    return el("p", { class: "error" }, "The pool does not answer. It is asked again every ten seconds; what miners do goes on without this page.");
  }
  return el("p", { class: "error" }, `${what[0]?.toUpperCase()}${what.slice(1)}: ${refusal.message ?? String(error)}`);
}

/** The page's main part, with this title. @param {string} title @param {...Child} beside */
export function main(title, ...beside) {
  const main = /** @type {HTMLElement} */ (document.getElementById("main"));
  main.replaceChildren(el("div", { class: "title" }, el("h1", {}, title), ...beside));
  setTitle(title);
  return main;
}

let poolName = "";

/** @param {string} title */
export function setTitle(title) {
  document.title = poolName === "" ? title : `${title} · ${poolName}`;
}

/** @param {string} name */
export function setPoolName(name) {
  const title = document.title;
  if (poolName === name) return;
  document.title = poolName === "" ? `${title} · ${name}` : title.replace(poolName, name);
  poolName = name;
  const shown = document.getElementById("pool-name");
  if (shown) shown.textContent = name;
}
