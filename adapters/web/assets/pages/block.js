// One found block: its way, its luck, and its coinbase beside the books.

import { ask, part, pathParts } from "../api.js";
import { Section, copyLine, el, facts, figure, link, main, money, replace, time, trouble } from "../dom.js";
import * as format from "../format.js";
import { blockState, effort, miner, round } from "../figures.js";
import { begin } from "../shell.js";
import { Table } from "../table.js";
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
  const lost = isLost(block);
  const reached = lost ? GOOD_WAY.length : GOOD_WAY.indexOf(block.state);
  const names = ["found", ...(lost ? [...GOOD_WAY.filter((one) => at.has(one)), block.state] : GOOD_WAY)];
  return el(
    "ol",
    { class: "steps" },
    names.map((name, index) => {
      const isDone = name === "found" || lost || index - 1 <= reached;
      const isBad = name === "orphaned" || name === "refused";
      const when = at.get(name);
      const words = name === "mature" ? "payable" : name;
      return el("li", { class: isBad ? "done bad" : isDone ? "done" : null, title: BLOCK_STATES[name]?.means }, el("strong", {}, words), when ? time(when) : el("span", { class: "quiet" }, isDone ? "" : "not yet"));
    }),
  );
}

const outputs = new Table({
  caption: "Outputs of the coinbase",
  csv: "coinbase-outputs",
  empty: "It has no outputs.",
  rowId: (row) => String(row.output),
  columns: [
    { title: "Output", figures: true, by: (row) => row.output, cell: (row) => String(row.output) },
    { title: "Value", figures: true, by: (row) => row.value_sats, cell: (row) => money(row.value_sats) },
    { title: "To", cell: (row) => (row.is_pool ? "the pool" : row.address ? "somebody" : "no money: a commitment") },
    { title: "Address or script", cell: (row) => (row.address ? el("span", { class: "mono" }, row.address) : el("span", { class: "mono", title: row.script_hex }, format.shortened(row.script_hex, 16, 8))) },
  ],
});

/** @param {any} told */
function showCoinbase(told) {
  coinbase.show(
    facts([
      ["Transaction", el("span", { class: "mono" }, told.txid)],
      told.height === null ? null : ["Height in it", figure(told.height, format.count(told.height))],
      ["Tag", told.tag ? el("code", {}, told.tag) : "none"],
      told.witness_commitment ? ["Witness commitment", el("span", { class: "mono" }, told.witness_commitment)] : null,
    ]),
    outputs.show(told.outputs.map((/** @type {any} */ output, /** @type {number} */ index) => ({ output: index, ...output }))),
    told.hex ? el("details", {}, el("summary", {}, "All of its bytes"), el("pre", { tabindex: "0" }, told.hex)) : null,
  );
}

/** @param {any} block */
const isLost = (block) => block.state === "orphaned" || block.state === "refused";

/** Whether a round booked it. @param {any} block */
const isBooked = (block) => block.books.fee_sats !== null;

/** What its state means, and for an orphan what became of its credits. @param {any} block */
function meaning(block) {
  if (block.state !== "orphaned") return BLOCK_STATES[block.state]?.means ?? "";
  if (!isBooked(block)) return "Another block won before a round credited this one: nothing has to be taken back.";
  const wasPayable = (block.states ?? []).some((/** @type {any} */ one) => one.state === "mature");
  return wasPayable ? "Another block won when this one was payable already: miners keep what it brought them, and the pool's reserve bears the loss." : "Another block won after a round had credited this one: the round that follows takes its credits back.";
}

/** @param {any} block */
function showBooks(block) {
  const { books: booked } = block;
  if (!isBooked(block)) {
    const why = isLost(block) ? "No round credited it, and none will: it did not win." : "Nothing is booked yet: the next round does it.";
    books.show(facts([["What its coinbase pays the pool", money(booked.reward_sats)]]), el("p", { class: "empty" }, why));
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
    way.show(steps(block), el("p", { class: "lead" }, meaning(block)));
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
    else coinbase.show(el("p", { class: "empty" }, "The bytes of this block are no longer kept, and the ledger has no share, or not all of one, from which its coinbase could be made again."));
    showBooks(block);
  },
});
