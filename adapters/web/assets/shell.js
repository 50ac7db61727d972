// What all pages have: the pool's name, where one is, finding things, and following what happens.

import { ask, part } from "./api.js";
import { append, setPoolName, trouble } from "./dom.js";
import { follow } from "./events.js";
import { useChain, useUnit } from "./format.js";

/**
 * @typedef {object} Plan
 * @property {string[]} [topics] Which events are of interest.
 * @property {() => string | undefined} [miner] Of which miner: its hotkey, once it is known.
 * @property {(pool: any) => void} [onPool] The pool's figures came.
 * @property {(name: string, data: any) => void} [onEvent] An event came.
 * @property {() => Promise<unknown>} [refresh] Reads what the page shows; fails if there is no answer.
 */

/** The pool, as last heard of. @type {any} */
let pool = null;

/** The pool's figures, as last heard of; null before the first answer. */
export const poolNow = () => pool;

/** Begins a page: reads the pool, then what the page shows, and goes on with what happens. @param {Plan} plan */
export async function begin(plan) {
  markPlace();
  listenToFind();
  const take = (/** @type {any} */ news) => {
    pool = { ...pool, ...news };
    if (typeof pool.name === "string") setPoolName(pool.name);
    if (typeof pool.chain === "string") useChain(pool.chain);
    if (pool.evaluated && typeof pool.unit === "string") useUnit(pool.unit, pool.unit_decimals);
    // It finds none.
    if (pool.evaluated) document.querySelector("header nav a[href='/blocks']")?.remove();
    plan.onPool?.(pool);
  };
  const refresh = async () => {
    take(await ask("/v1/pool"));
    await plan.refresh?.();
  };
  try {
    await refresh();
  } catch (error) {
    const main = /** @type {HTMLElement} */ (document.getElementById("main"));
    if (pool === null) append(main, [trouble(error, "the pool")]);
  }
  follow({
    topics: ["pool", ...(plan.topics ?? [])],
    ...(plan.miner === undefined ? {} : { miner: plan.miner }),
    onEvent: (name, data) => {
      if (name === "pool") take(data);
      plan.onEvent?.(name, data);
    },
    refresh,
  });
}

function markPlace() {
  const first = location.pathname.split("/")[1];
  for (const anchor of document.querySelectorAll("header nav a")) {
    if (anchor.getAttribute("href")?.slice(1) === first) anchor.setAttribute("aria-current", "page");
  }
}

function listenToFind() {
  const form = /** @type {HTMLFormElement | null} */ (document.getElementById("find"));
  form?.addEventListener("submit", async (event) => {
    event.preventDefault();
    const input = /** @type {HTMLInputElement} */ (form.elements.namedItem("text"));
    const text = input.value.trim();
    if (text !== "") location.assign(await pathOf(text));
  });
}

/** Where a text that somebody looks for leads. @param {string} text */
export async function pathOf(text) {
  if (/^#?\d+$/.test(text)) return `/rounds/${text.replace("#", "")}`;
  if (/^[0-9a-fA-F]{64}$/.test(text)) {
    const hash = text.toLowerCase();
    try {
      await ask(`/v1/blocks/${hash}`);
      return `/blocks/${hash}`;
    } catch {
      return `/payouts/${hash}`;
    }
  }
  return `/miners/${part(text)}`;
}
