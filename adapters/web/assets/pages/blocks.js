// All found blocks, and the luck of them.

import { ask } from "../api.js";
import { Section, el, figure, main } from "../dom.js";
import * as format from "../format.js";
import { BLOCK_COLUMNS } from "../figures.js";
import { begin } from "../shell.js";
import { PagedTable, Table } from "../table.js";

const page = main("Blocks");
const luckCard = new Section("Luck", { wide: true, note: "Blocks found against those to be expected of the work. The interval says between what luck lies in 95 of 100 cases if nothing is wrong." });
const listCard = new Section("Found blocks", { wide: true });
page.append(el("div", { class: "grid" }, luckCard.element, listCard.element));

const luck = new Table({
  caption: "Luck over the last blocks",
  csv: "luck",
  empty: "No block yet.",
  rowId: (row) => String(row.blocks),
  columns: [
    { title: "Over the last", cell: (row) => figure(row.blocks, `${format.count(row.blocks)} blocks`) },
    { title: "Found", figures: true, cell: (row) => figure(row.found, format.count(row.found)) },
    { title: "Expected", figures: true, cell: (row) => figure(row.expected, format.significant(row.expected)) },
    { title: "Luck", figures: true, cell: (row) => known(row.luck) },
    { title: "95 % interval", figures: true, cell: (row) => (isKnown(row.low) && isKnown(row.high) ? `${format.percent(row.low, 0)} to ${format.percent(row.high, 0)}` : "–") },
    { title: "Luckier than", figures: true, wide: true, cell: (row) => (isKnown(row.percentile) ? figure(row.percentile, `${format.percent(row.percentile)} of pools`) : "–"), hint: "Of pools with the same work" },
  ],
});

/** @param {number | null | undefined} value */
const isKnown = (value) => value !== null && value !== undefined;

/** @param {number | null | undefined} value */
const known = (value) => (isKnown(value) ? figure(/** @type {number} */ (value), format.percent(/** @type {number} */ (value), 0)) : "–");

const blocks = new PagedTable(
  { caption: "Found blocks", columns: BLOCK_COLUMNS, rowId: (row) => row.hash, empty: "No block yet. The first one is listed here as soon as a miner finds it." },
  "/v1/blocks",
  "blocks",
  { limit: 50, id: (row) => row.hash },
);

void begin({
  topics: ["block"],
  refresh: async () => {
    await blocks.refresh();
    if (!blocks.element.isConnected) listCard.show(blocks.element);
    try {
      const told = await ask("/v1/luck");
      luckCard.show(luck.show(told.windows));
    } catch (error) {
      luckCard.refuse(error, "its luck over the last blocks");
    }
  },
});
