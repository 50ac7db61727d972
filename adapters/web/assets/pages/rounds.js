// All closed rounds.

import { Section, el, main } from "../dom.js";
import { EVALUATED_ROUND_COLUMNS, ROUND_COLUMNS } from "../figures.js";
import { begin, poolNow } from "../shell.js";
import { PagedTable } from "../table.js";

const page = main("Rounds");
const card = new Section("Closed rounds", { wide: true, note: "A round takes what came in, keeps the fee, and credits the rest to miners by their work. Reward = fee + to miners + kept." });
page.append(el("div", { class: "grid" }, card.element));

/** @param {boolean} isEvaluated */
const roundsOf = (isEvaluated) => new PagedTable(
  {
    caption: "Closed rounds",
    columns: isEvaluated ? EVALUATED_ROUND_COLUMNS : ROUND_COLUMNS,
    rowId: (row) => String(row.id),
    empty: isEvaluated ? "No round yet. The first one is listed here once it has closed." : "No round yet. A round closes after a block, and credits it to its miners.",
  },
  "/v1/rounds",
  "rounds",
  { limit: 50, id: (row) => String(row.id) },
);

/** @type {PagedTable<any> | null} */
let rounds = null;

void begin({
  topics: ["round"],
  refresh: async () => {
    rounds ??= roundsOf(Boolean(poolNow()?.evaluated));
    await rounds.refresh();
    if (!rounds.element.isConnected) card.show(rounds.element);
  },
});
