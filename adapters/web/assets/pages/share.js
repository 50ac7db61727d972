// One accepted share.

import { ask, part, pathParts } from "../api.js";
import { Section, el, facts, figure, link, main, replace, time, trouble } from "../dom.js";
import * as format from "../format.js";
import { block, miner, round } from "../figures.js";
import { begin } from "../shell.js";

const sequence = pathParts()[1] ?? "";
const page = main(`Share ${sequence}`);
const card = new Section("What the ledger has of it", { note: "A share counts by the target that was issued with its job, and by nothing else." });
const beside = new Section("Beside it");
const grid = el("div", { class: "grid" }, card.element, beside.element);
page.append(grid);

void begin({
  refresh: async () => {
    let share;
    try {
      share = await ask(`/v1/shares/${part(sequence)}`);
    } catch (error) {
      if (/** @type {{status?: number}} */ (error).status === 0) throw error;
      replace(grid, [el("div", { class: "card wide" }, trouble(error, "this share"))]);
      return;
    }
    card.show(
      facts([
        ["Came", time(share.at)],
        share.hotkey ? ["Miner", miner(share.hotkey)] : ["Miner", "hidden"],
        share.worker ? ["Worker", share.hotkey ? link(`/miners/${part(share.hotkey)}/workers/${part(share.worker)}`, share.worker) : share.worker] : null,
        ["Difficulty issued", figure(share.issued_difficulty, format.difficulty(share.issued_difficulty))],
        ["Counts", figure(share.units, `${format.significant(Number(share.units), 6)} units`, `${share.units} units; one unit is the work of a block`)],
        share.height === undefined || share.height === null ? null : ["For the block at height", figure(share.height, format.count(share.height))],
        ["Is a block", share.is_block ? (typeof share.block === "string" ? block(share.block) : "yes") : "no"],
        share.round ? ["First looked at by round", round(share.round)] : ["Round", "none has looked at it yet"],
      ]),
    );
    const number = /^\d+$/.test(sequence) ? BigInt(sequence) : null;
    beside.show(
      el("p", {}, number !== null && number > 1n ? link(`/shares/${number - 1n}`, "The share before") : "It is the first one."),
      number === null ? null : el("p", {}, link(`/shares/${number + 1n}`, "The share after")),
    );
  },
});
