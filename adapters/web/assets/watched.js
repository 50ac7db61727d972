// Whose pages these are: of a miner by its name, or of the miner that a watch link shows.

import { ask, askAsWatcher, part, pathParts } from "./api.js";
import { append, el, link, main, trouble } from "./dom.js";
import { begin } from "./shell.js";

/**
 * A miner that a page shows.
 * @typedef {object} Shown
 * @property {string} id A hotkey, or a payout address.
 * @property {string} base Where its pages are.
 * @property {boolean} isWatched Whether a link shows it.
 * @property {() => Promise<unknown>} check Fails once the link is taken back: it shows nothing from then on, also where
 *   everything is public.
 */

/** Shows the miner that this page's path names, or says that its link shows nothing.
 * @param {(shown: Shown) => void} show */
export async function showNamed(show) {
  const [kind, name = ""] = pathParts();
  if (kind !== "watch") {
    show({ id: name, base: `/miners/${part(name)}`, isWatched: false, check: async () => undefined });
    return;
  }
  const path = `/v1/watch/${part(name)}`;
  let watch;
  try {
    watch = await ask(path);
  } catch (error) {
    append(main("This link shows nothing"), [
      el("div", { class: "card wide" }, trouble(error, "the miner of this link"), el("p", {}, "Its owner may have taken it back: ask for another one."), el("p", {}, link("/", "To the pool"))),
    ]);
    void begin({});
    return;
  }
  askAsWatcher(name);
  show({ id: watch.hotkey, base: `/watch/${part(name)}`, isWatched: true, check: () => ask(path) });
}
