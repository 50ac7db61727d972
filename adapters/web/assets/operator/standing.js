// How the pool is: its state, what hinders it, its books, its ledger, its parts and its nodes.

import { Section, el, facts, figure, money, name, state, time } from "../dom.js";
import * as format from "../format.js";
import { Table } from "../table.js";
import { POOL_STATES, VERDICTS } from "../words.js";
import { logoutButton, orderButton } from "./desk.js";

/** @typedef {import("../dom.js").Child} Child */

export const stateCard = new Section("State");
export const hindrancesCard = new Section("What hinders it");
export const booksCard = new Section("Books", { note: "Assets and liabilities have to be equal, to the last sat." });
export const commitCard = new Section("Ledger");
export const nodesCard = new Section("Nodes", { wide: true });
export const actorsCard = new Section("Parts", { wide: true, note: "How many messages wait for each part, and how many may." });

/** @param {any} told */
export function showState(told) {
  const words = POOL_STATES[told.pool_state];
  const isRunning = told.pool_state === "running";
  stateCard.show(
    facts([
      ["Pool", state(told.pool_state, words?.tone ?? "plain", words?.means)],
      told.started_at ? ["Started", time(told.started_at, { ago: true })] : null,
      ["Registration", told.settings?.registration_open === false ? "closed" : "open"],
      ["Last backup", told.backup?.last_at ? time(told.backup.last_at, { ago: true }) : state("none is known", "wait", "dwarves backup FILE makes one while the pool runs")],
    ]),
    el(
      "p",
      { class: "row" },
      isRunning
        ? orderButton("Pause the pool", "pool_manager", "pause", {}, "Miners get no work until you resume it. Shares that are on their way are refused.")
        : orderButton("Resume the pool", "pool_manager", "resume"),
      logoutButton(),
    ),
  );
}

/** @param {any[]} hindrances */
export function showHindrances(hindrances) {
  if (hindrances.length === 0) {
    hindrancesCard.show(el("p", { class: "note good" }, "Nothing. All parts do what they should."));
    return;
  }
  hindrancesCard.show(
    ...hindrances.map((one) =>
      el("div", { class: "way" }, el("h3", {}, state(one.name, "bad"), " ", one.text ?? ""), el("p", {}, one.remedy ?? ""), one.section ? el("p", {}, "RUNBOOK.md, section ", el("em", {}, one.section)) : null),
    ),
  );
}

/** Names as words: `in_flight` is `In flight`. @param {string} text */
const spoken = (text) => {
  const words = text.replace(/_sats$/, "").replaceAll("_", " ");
  return `${words.slice(0, 1).toUpperCase()}${words.slice(1)}`;
};

/** @param {any} books */
export function showBooks(books) {
  const parts = (/** @type {Record<string, any>} */ sums) => Object.entries(sums).filter(([key]) => key !== "total_sats");
  const total = (/** @type {Record<string, any>} */ sums) => parts(sums).reduce((sum, [, sats]) => sum + BigInt(sats), 0n);
  const side = (/** @type {string} */ title, /** @type {Record<string, any>} */ sums) => {
    const rows = parts(sums).map(([key, sats]) => /** @type {[string, Child]} */ ([spoken(key), money(sats)]));
    return el("div", {}, el("h3", {}, title), facts([...rows, [el("strong", {}, "In all"), el("strong", {}, money(total(sums)))]]));
  };
  // Added up here as well as by the pool.
  const difference = total(books.assets) - total(books.liabilities);
  const isEqual = difference === 0n && BigInt(books.difference_sats) === 0n;
  booksCard.show(
    side("Assets", books.assets),
    side("Liabilities", books.liabilities),
    el("h3", {}, "So far"),
    facts([
      ["Paid to miners", money(books.paid_sats)],
      ["Taken by the network", money(books.network_fees_sats)],
    ]),
    isEqual ? el("p", { class: "note good", id: "difference" }, "Difference: 0 sats.") : el("p", { class: "note bad", role: "alert", id: "difference" }, "Difference: ", money(difference === 0n ? books.difference_sats : difference), ". See RUNBOOK.md, Conservation."),
  );
}

/** @param {any} commit */
export function showCommit(commit) {
  const millis = (/** @type {number | null} */ value) => (value === null ? "–" : figure(value, `${format.significant(value)} ms`));
  commitCard.show(
    facts([
      ["Commits since the start", figure(commit.count, format.count(commit.count))],
      ["Half of them took less than", millis(commit.p50_ms)],
      ["99 of 100 took less than", millis(commit.p99_ms)],
      ["Half of them had fewer writes than", commit.batch_p50 === null ? "–" : format.significant(commit.batch_p50)],
    ]),
    el("p", { class: "lead" }, "A share is acknowledged once it is committed: this is what miners wait for."),
  );
}

const actors = new Table({
  caption: "Parts of the pool",
  csv: "parts-of-the-pool",
  empty: "None.",
  rowId: (row) => row.name,
  columns: [
    { title: "Part", by: (row) => row.name, cell: (row) => row.name },
    { title: "Waiting", figures: true, by: (row) => row.mailbox, cell: (row) => figure(row.mailbox ?? 0, format.count(row.mailbox ?? 0)) },
    { title: "At most", figures: true, by: (row) => row.mailbox_max, cell: (row) => (row.mailbox_max ? format.count(row.mailbox_max) : "–") },
    { title: "Turned away", figures: true, by: (row) => row.refused, cell: (row) => figure(row.refused ?? 0, format.count(row.refused ?? 0)), hint: "Since the start, because the mailbox was full" },
    { title: "Handling, 99 %", figures: true, wide: true, by: (row) => row.handling_p99_ms, cell: (row) => (row.handling_p99_ms === null || row.handling_p99_ms === undefined ? "–" : `${format.significant(row.handling_p99_ms)} ms`), hint: "99 of 100 questions kept its thread for less" },
    { title: "Full to", figures: true, by: (row) => (row.mailbox ?? 0) / (row.mailbox_max || 1), cell: (row) => (row.mailbox_max ? format.percent((row.mailbox ?? 0) / row.mailbox_max) : "–") },
  ],
});

const nodes = new Table({
  caption: "Nodes",
  csv: "chain-nodes",
  empty: "The pool runs on its own devnet, or on no chain: it has no nodes.",
  rowId: (row) => row.name,
  columns: [
    { title: "Node", cell: (row) => el("span", {}, row.name, row.is_used ? el("small", {}, " in use") : null) },
    { title: "State", cell: (row) => state(row.state, VERDICTS[row.state]?.tone ?? "plain", VERDICTS[row.state]?.means) },
    { title: "Height", figures: true, by: (row) => row.height, cell: (row) => (row.height === null || row.height === undefined ? "–" : format.count(row.height)) },
    { title: "Behind", figures: true, by: (row) => row.behind, cell: (row) => (row.behind === null || row.behind === undefined ? "–" : format.count(row.behind)) },
    { title: "Tip", wide: true, cell: (row) => (row.tip ? name(row.tip) : "–") },
    { title: "What is wrong", cell: (row) => row.problem ?? "" },
  ],
});

/** @param {any} told */
export function showParts(told) {
  nodesCard.show(nodes.show(told.nodes));
  actorsCard.show(actors.show(told.actors));
}
