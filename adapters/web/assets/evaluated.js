// What pages show of a pool that has work evaluated: it has no hashrate, no shares, no blocks and no chain.

import { part } from "./api.js";
import { Section, copyLine, el, facts, figure, link, money, state, time } from "./dom.js";
import * as format from "./format.js";
import { tile } from "./figures.js";
import { PagedTable } from "./table.js";

/** @typedef {import("./dom.js").Child} Child */

const STATES = /** @type {Record<string, "good" | "wait" | "bad">} */ ({ evaluated: "good", queued: "wait", failed: "bad" });

/** A pool's tiles. @param {any} pool */
export function poolTiles(pool) {
  const { waiting, at_work: atWork, pays_by: paysBy, emission_sats: emission } = pool.evaluated;
  return [
    tile("Miners", figure(pool.miners, format.count(pool.miners))),
    tile("Being evaluated", figure(atWork, format.count(atWork)), `${format.count(waiting)} waiting`),
    tile("Every round", money(emission), `paid by ${paysBy}`),
  ];
}

/** How to send work. @param {Section} card */
export function showConnect(card) {
  const { origin } = location;
  card.show(
    el("p", {}, "Work is any JSON object. It is signed by the miner's hotkey, and answered with its loss or score, or with the name by which that is found later."),
    el("h3", {}, "Over HTTP"),
    copyLine(`${origin}/v1/work`, "address that takes work"),
    el("p", {}, "What is wanted, and how requests are signed, is in ", link("/docs", "the API"), "."),
  );
}

/** @param {any} row */
const reading = (row) => (row.loss ?? row.score) === null || (row.loss ?? row.score) === undefined
  ? el("span", { class: "quiet" }, "–")
  : figure(row.loss ?? row.score, format.significant(Number(row.loss ?? row.score), 6), `${row.loss === null ? "score" : "loss"} ${row.loss ?? row.score}`);

/** @param {any} row */
const stateOf = (row) => el("span", {}, state(row.state, STATES[row.state] ?? "plain"), row.fault ? el("small", { title: row.detail }, ` ${row.fault.replaceAll("_", " ")}`) : null);

/** A miner's results, and all that it submitted. @param {string} path The miner's, in the API. */
export function resultsOf(path) {
  const card = new Section("Results", { wide: true });
  const table = new PagedTable(
    {
      caption: "Submissions",
      rowId: (row) => row.submission_id,
      empty: "Nothing was submitted yet.",
      columns: [
        { title: "Submitted", by: (row) => row.received_at, cell: (row) => time(row.received_at, { ago: true }) },
        { title: "State", by: (row) => row.state, cell: stateOf },
        { title: "Loss or score", figures: true, by: (row) => Number(row.loss ?? row.score ?? 0), cell: reading },
        { title: "Worker", wide: true, cell: (row) => row.worker ?? el("span", { class: "quiet" }, "hidden") },
        { title: "Name", wide: true, cell: (row) => el("span", { class: "mono", title: row.submission_id }, `${row.submission_id.slice(0, 12)}…`) },
      ],
    },
    `${path}/submissions`,
    "submissions",
    { limit: 10, id: (row) => row.submission_id },
  );
  return {
    card,
    /** @param {any} results */
    tiles: (results) => [
      tile("Best result", results.best ? reading(results.best) : "none that counts", results.best ? time(results.best.received_at, { ago: true }) : null),
      tile("Latest result", results.latest ? reading(results.latest) : "none yet", results.latest ? stateOf(results.latest) : null),
      tile("Waiting", figure(results.waiting, format.count(results.waiting))),
    ],
    refresh: async () => {
      await table.refresh();
      if (!table.element.isConnected) card.show(table.element);
    },
  };
}

/** What became of a round's emission. @param {any} emission @returns {[string, Child][]} */
export function emissionFacts(emission) {
  return [
    ["Emitted", money(emission.amount_sats)],
    ["Brought by rounds before", money(emission.brought_sats)],
    ["Carried to the next", money(emission.carried_sats)],
    ["Burnt", money(emission.burnt_sats)],
  ];
}

/** A miner's path in the API. @param {string} id */
export const minerPath = (id) => `/v1/miners/${part(id)}`;

/** How a miner's money stands, where nothing is immature and no transaction is sent. @param {any} balance @returns {Child} */
export const balanceFacts = (balance) => facts([
  ["Owed", money(balance.payable)],
  ["Paid", money(balance.paid)],
]);
