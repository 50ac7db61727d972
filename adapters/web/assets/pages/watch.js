// A miner, as its owner shows it to whoever has the link.

import { ask, askAsWatcher, part, pathParts } from "../api.js";
import { append, el, link, main, trouble } from "../dom.js";
import { showMiner } from "../miner.js";
import { begin } from "../shell.js";

const token = pathParts()[1] ?? "";

try {
  const watch = await ask(`/v1/watch/${part(token)}`);
  askAsWatcher(token);
  // A link that is taken back shows nothing from then on, also where everything is public.
  showMiner(watch.hotkey, { isWatched: true, check: () => ask(`/v1/watch/${part(token)}`) });
} catch (error) {
  const page = main("This link shows nothing");
  append(page, [
    el("div", { class: "card wide" }, trouble(error, "the miner of this link"), el("p", {}, "Its owner may have taken it back: ask for another one."), el("p", {}, link("/", "To the pool"))),
  ]);
  void begin({});
}
