// One round: what came in, and who got it.

import { ask, part, pathParts } from "../api.js";
import { Section, el, facts, figure, link, main, money, replace, time, trouble } from "../dom.js";
import * as format from "../format.js";
import { aligned, decimal, sum, text } from "../exact.js";
import { block, miner } from "../figures.js";
import { emissionFacts } from "../evaluated.js";
import { begin, poolNow } from "../shell.js";
import { Table } from "../table.js";

const id = pathParts()[1] ?? "";
const page = main(`Round ${id}`);
const summary = new Section("What came in");
const check = new Section("Sum check", { note: "Added up in this page, from the figures of the API." });
const list = new Section("Who got it", { wide: true });
const grid = el("div", { class: "grid" }, summary.element, check.element, list.element);
page.append(grid);

/** @type {import("../exact.js").Decimal} */
let total = { digits: 0n, scale: 0 };

const credits = new Table({
  caption: `Credits of round ${id}`,
  csv: `round-${id}-credits`,
  empty: "This round credited nobody.",
  rowId: (row) => row.hotkey,
  columns: [
    { title: "Miner", by: (row) => row.hotkey, cell: (row) => miner(row.hotkey) },
    { title: "Work", figures: true, by: (row) => Number(row.units), cell: (row) => figure(row.units, format.significant(Number(row.units), 6), poolNow()?.evaluated ? `${row.units}, by its best result` : `${row.units} units; one unit is the work of a block`) },
    { title: "Part", figures: true, by: (row) => Number(row.units), cell: (row) => format.percent(partOf(row.units), 2) },
    { title: "Amount", figures: true, by: (row) => row.amount_sats, cell: (row) => money(row.amount_sats) },
    { title: "Step by step", cell: (row) => link(`/miners/${part(row.hotkey)}/rounds/${part(id)}`, "Why this amount") },
  ],
});

/** @param {string} units */
function partOf(units) {
  const [one, all] = aligned(decimal(units), total);
  return all === 0n ? 0 : Number((one * 1_000_000n) / all) / 1_000_000;
}

void begin({
  topics: ["block"],
  refresh: async () => {
    let round;
    try {
      round = await ask(`/v1/rounds/${part(id)}`);
    } catch (error) {
      if (/** @type {{status?: number}} */ (error).status === 0) throw error;
      replace(grid, [el("div", { class: "card wide" }, trouble(error, "this round"), el("p", {}, link("/rounds", "All rounds")))]);
      return;
    }
    total = sum(round.credits.map((/** @type {any} */ credit) => credit.units));
    summary.show(
      facts([
        ["Closed", time(round.closed_at)],
        ["Scheme", round.scheme],
        ["Reward", money(round.reward_sats)],
        ["Fee", money(round.fee_sats)],
        ["To miners", money(round.credited_sats)],
        ["Kept in the reserve", money(round.kept_sats)],
        ...(poolNow()?.evaluated ? (round.emission ? emissionFacts(round.emission) : []) : [
        /** @type {[string, import("../dom.js").Child]} */ (["Blocks", round.blocks.length === 0 ? "none" : el("span", {}, round.blocks.flatMap((/** @type {string} */ hash, /** @type {number} */ index) => [index > 0 ? ", " : "", block(hash)]))])]),
      ]),
    );
    list.show(credits.show(round.credits));
    if ((round.hidden ?? []).length > 0) {
      check.show(el("p", { class: "empty" }, "Credits are for each miner and the operator alone, so that there is nothing to add up."));
      if (round.credits.length === 0) list.show(el("p", { class: "empty" }, "Only the miners themselves and the operator see who got how much."));
      return;
    }
    const credited = round.credits.reduce((/** @type {bigint} */ all, /** @type {any} */ credit) => all + BigInt(credit.amount_sats), 0n);
    const parts = BigInt(round.fee_sats) + credited + BigInt(round.kept_sats);
    const holds = parts === BigInt(round.reward_sats) && credited === BigInt(round.credited_sats);
    check.show(
      facts([
        [`${format.count(round.credits.length)} credits`, money(credited)],
        ["+ fee", money(round.fee_sats)],
        ["+ kept", money(round.kept_sats)],
        ["= ", money(parts)],
        poolNow()?.evaluated ? ["Weights in all", text(total)] : ["Work in all", `${text(total)} units`],
      ]),
      holds
        ? el("p", { class: "note good", role: "status" }, "Equal to the reward, to the last sat.")
        : el("p", { class: "note bad", role: "alert" }, `This is not the reward: they differ by ${format.count(parts - BigInt(round.reward_sats))} sats. Tell the operator.`),
    );
  },
});
