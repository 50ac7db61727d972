// One found block: its way, its luck, and its coinbase beside the books.

import { ask, part, pathParts } from "../api.js";
import { Section, copyLine, el, facts, figure, link, main, money, replace, time, trouble } from "../dom.js";
import * as format from "../format.js";
import { blockState, effort, miner, round } from "../figures.js";
import { begin } from "../shell.js";
import { BLOCK_STATES } from "../words.js";

const hash = (pathParts()[1] ?? "").toLowerCase();
const page = main("Block");
const way = new Section("From found to payable", { wide: true });
const facts1 = new Section("Block");
const luckCard = new Section("Luck of it");
const coinbase = new Section("Coinbase", { wide: true, note: "The transaction that pays for the block, decoded." });
const books = new Section("Books", { wide: true, note: "What the pool booked for the block, beside what its coinbase pays." });
const grid = el("div", { class: "grid" }, way.element, facts1.element, luckCard.element, coinbase.element, books.element);
page.append(el("p", { class: "lead" }, copyLine(hash, "block hash")), grid);

const GOOD_WAY = ["submitted", "accepted", "immature", "mature"];

/** The states that a block goes through, with when it came there. @param {any} block */
function steps(block) {
  const at = new Map((block.states ?? []).map((/** @type {any} */ one) => [one.state, one.at]));
  at.set("found", block.found_at);
  const isLost = block.state === "orphaned" || block.state === "refused";
  const reached = isLost ? GOOD_WAY.length : GOOD_WAY.indexOf(block.state);
  const names = ["found", ...(isLost ? [...GOOD_WAY.filter((one) => at.has(one)), block.state] : GOOD_WAY)];
  return el(
    "ol",
    { class: "steps" },
    names.map((name, index) => {
      const isDone = name === "found" || isLost || index - 1 <= reached;
      const isBad = name === "orphaned" || name === "refused";
      const when = at.get(name);
      const words = name === "mature" ? "payable" : name;
      return el("li", { class: isBad ? "done bad" : isDone ? "done" : null, title: BLOCK_STATES[name]?.means }, el("strong", {}, words), when ? time(when) : el("span", { class: "quiet" }, isDone ? "" : "not yet"));
    }),
  );
}

/** @param {any} told */
function showCoinbase(told) {
  const outputs = told.outputs.map((/** @type {any} */ output, /** @type {number} */ index) =>
    el(
      "tr",
      {},
      el("td", { class: "figures" }, index),
      el("td", { class: "figures" }, money(output.value_sats)),
      el("td", {}, output.is_pool ? "the pool" : output.address ? "somebody" : "no money: a commitment"),
      el("td", {}, output.address ? el("span", { class: "mono" }, output.address) : el("span", { class: "mono", title: output.script_hex }, format.shortened(output.script_hex, 16, 8))),
    ),
  );
  const heads = ["Output", "Value", "To", "Address or script"].map((title, index) => el("th", { scope: "col", class: index < 2 ? "figures" : null }, title));
  coinbase.show(
    facts([
      ["Transaction", el("span", { class: "mono" }, told.txid)],
      told.height === null ? null : ["Height in it", figure(told.height, format.count(told.height))],
      ["Tag", told.tag ? el("code", {}, told.tag) : "none"],
      told.witness_commitment ? ["Witness commitment", el("span", { class: "mono" }, told.witness_commitment)] : null,
    ]),
    el("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": "Outputs of the coinbase" }, el("table", {}, el("caption", {}, "Outputs of the coinbase"), el("thead", {}, el("tr", {}, heads)), el("tbody", {}, outputs))),
    told.hex ? el("details", {}, el("summary", {}, "All of its bytes"), el("pre", { tabindex: "0" }, told.hex)) : null,
  );
}

/** @param {any} block */
function showBooks(block) {
  const { books: booked } = block;
  if (booked.fee_sats === null) {
    const isLost = block.state === "orphaned" || block.state === "refused";
    books.show(facts([["What its coinbase pays the pool", money(booked.reward_sats)]]), el("p", { class: "empty" }, isLost ? "Nothing is booked for a block that did not win." : "Nothing is booked yet: the next round does it."));
    return;
  }
  const paid = block.coinbase ? block.coinbase.outputs.filter((/** @type {any} */ one) => one.is_pool).reduce((/** @type {bigint} */ sum, /** @type {any} */ one) => sum + BigInt(one.value_sats), 0n) : null;
  const parts = BigInt(booked.fee_sats) + BigInt(booked.credited_sats) + BigInt(booked.kept_sats);
  const isWhole = booked.matches !== false && parts === BigInt(booked.reward_sats) && (paid === null || paid === BigInt(booked.reward_sats));
  books.show(
    facts([
      paid === null ? null : ["The coinbase pays the pool", money(paid)],
      ["Booked as reward", money(booked.reward_sats)],
      ["Fee", money(booked.fee_sats)],
      ["To miners", money(booked.credited_sats)],
      ["Kept in the reserve", money(booked.kept_sats)],
      block.round ? ["In round", round(block.round)] : null,
    ]),
    isWhole
      ? el("p", { class: "note good", role: "status" }, "Coinbase, reward and its parts are equal, to the last sat.")
      : el("p", { class: "note bad", role: "alert" }, "These are not equal. Tell the operator."),
  );
}

void begin({
  topics: ["block", "round"],
  refresh: async () => {
    let block;
    try {
      block = await ask(`/v1/blocks/${part(hash)}`);
    } catch (error) {
      if (/** @type {{status?: number}} */ (error).status === 0) throw error;
      replace(grid, [el("div", { class: "card wide" }, trouble(error, "this block"), el("p", {}, link("/blocks", "All blocks of the pool")))]);
      return;
    }
    const title = document.querySelector("h1");
    if (title) title.textContent = `Block ${format.count(block.height)}`;
    way.show(steps(block), el("p", { class: "lead" }, BLOCK_STATES[block.state]?.means ?? ""));
    facts1.show(
      facts([
        ["State", blockState(block.state)],
        ["Height", figure(block.height, format.count(block.height))],
        ["Found", time(block.found_at)],
        ["Value", money(block.value_sats ?? block.reward_sats)],
        ["Depth", figure(block.confirmations, format.count(block.confirmations))],
        ["Found by", block.found_by ? miner(block.found_by) : "not known"],
        block.worker ? ["Worker", block.found_by ? link(`/miners/${part(block.found_by)}/workers/${part(block.worker)}`, block.worker) : block.worker] : null,
        block.sequence ? ["Its share", link(`/shares/${part(block.sequence)}`, `#${format.count(block.sequence)}`)] : null,
      ]),
    );
    luckCard.show(
      facts([
        ["Effort", effort(block.effort)],
        block.probability === undefined || block.probability === null ? ["Later than", `${format.percent(1 - Math.exp(-block.effort))} of blocks`] : ["Later than", figure(block.probability, `${format.percent(block.probability)} of blocks`)],
        block.network_difficulty ? ["Difficulty", figure(block.network_difficulty, format.difficulty(block.network_difficulty))] : null,
        block.share_before === undefined || block.share_before === null ? null : ["Work began after", link(`/shares/${part(block.share_before)}`, `share #${format.count(block.share_before)}`)],
      ]),
      el("p", { class: "lead" }, "Effort is the work since the block before, in blocks to be expected: 100 % is average, less is luck."),
    );
    if (block.coinbase) showCoinbase(block.coinbase);
    else coinbase.show(el("p", { class: "empty" }, "This pool does not tell the block's coinbase."));
    if (block.books) showBooks(block);
    else books.show(el("p", { class: "empty" }, block.state === "orphaned" || block.state === "refused" ? "Nothing is booked for a block that did not win." : "Nothing is booked yet: the next round does it."));
  },
});
