// What stands where there is no page: what there is, and how to get there.

import { Section, el, link, main } from "../dom.js";
import { begin } from "../shell.js";

const there = new Section("What there is", { wide: true });
there.show(
  el(
    "ul",
    {},
    el("li", {}, link("/", "The pool"), ": how it is, and how to connect"),
    el("li", {}, link("/blocks", "Blocks"), " that it found, and ", link("/rounds", "rounds"), " that it closed"),
    el("li", {}, "A miner: look for its hotkey or payout address in the field above. There is no list of miners."),
    el("li", {}, "A payout: look for its transaction's id. A miner's page lists its own."),
    el("li", {}, link("/operator", "Operator"), ": for who has the admin token"),
    el("li", {}, link("/docs", "API"), ": the same figures for programs"),
  ),
);
main("There is no such page").append(el("div", { class: "grid" }, there.element));
void begin({});
