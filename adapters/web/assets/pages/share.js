// One accepted share.

import { ask, part, pathParts } from "../api.js";
import { Section, el, facts, figure, link, main, replace, time, trouble } from "../dom.js";
import * as format from "../format.js";
import { block, blockState, miner, round } from "../figures.js";
import { begin } from "../shell.js";

const sequence = pathParts()[1] ?? "";
const page = main(`Share ${sequence}`);
const card = new Section("What the ledger has of it", { note: "A share counts by the target that was issued with its job, and by nothing else." });
const header = new Section("Its header");
const beside = new Section("Beside it", { wide: true });
const grid = el("div", { class: "grid" }, card.element, header.element, beside.element);
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
        ["Is a block", share.is_block ? el("span", {}, block(share.block), " ", share.block_state ? blockState(share.block_state) : null) : "no"],
        ["Network's difficulty then", figure(share.network_difficulty, format.difficulty(share.network_difficulty))],
        ["Work of all shares before it", figure(share.units_before, `${format.significant(Number(share.units_before), 8)} units`, `${share.units_before} units`)],
        share.round ? ["Round that closed after it", round(share.round)] : ["Round", "none has closed since"],
      ]),
    );
    header.show(
      facts([
        ["Hash", el("span", { class: "mono" }, share.hash)],
        ["Version", el("span", { class: "mono" }, share.version_hex)],
        ["Time", time(new Date(share.time * 1000).toISOString())],
        ["Nonce", el("span", { class: "mono" }, share.nonce_hex)],
        ["Extranonce", el("span", { class: "mono" }, share.extranonce_hex)],
        ["Template", figure(share.template, `#${share.template}`)],
      ]),
    );
    const number = /^\d+$/.test(sequence) ? BigInt(sequence) : null;
    beside.show(
      el("p", {}, number !== null && number > 1n ? link(`/shares/${number - 1n}`, "The share before") : "It is the first one."),
      number === null ? null : el("p", {}, link(`/shares/${number + 1n}`, "The share after")),
    );
  },
});
