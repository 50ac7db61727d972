// The fronts that share the ledger, their links, and the standby that pages are read from: only where there are any.

import { Section, el, facts, state, time } from "../dom.js";
import * as format from "../format.js";
import { Table } from "../table.js";

/** @typedef {{number: number, name: string, leads: boolean, lives: boolean, linked: boolean, unlinked_ms: number | null, silent_ms: number, since: string, version: string, listeners: Record<string, string>}} Front */
/** @typedef {{place: string, answers: boolean, lag_secs: number | null, lag_max_secs: number, why: string | null}} Standby */

export const frontsCard = new Section("Fronts", {
  wide: true,
  note: "The processes that share the ledger. One leads: it judges shares, writes and pays. The others stand by, and one of them leads when it is gone. Miners and shares are those of the whole pool, whichever front they come to; what this page says of the ledger and of parts is of the front that leads, and each front's own connections are in its own /metrics.",
});
export const standbyCard = new Section("Standby for pages", { note: "A copy of the database from which pages are read, so that the primary is left to those who write." });

/** What a front does, and how that is. @param {Front} front */
function does(front) {
  if (!front.lives) return state("silent", "bad", "It said nothing for more than 3 s, and did not stop in order: look at its machine and its log");
  if (front.leads) return state("leads", "good", "It judges shares, writes the ledger and pays; the others pass on to it");
  return state("stands by", "plain", "It leads when the one that leads is gone");
}

/** Whether miners on Stratum are served where they come to it. @param {Front} front */
function link(front) {
  if (front.leads) return "–";
  if (front.linked) return state("linked", "good", "It serves miners on Stratum itself, and asks the front that leads over the link");
  if (front.unlinked_ms === null || front.unlinked_ms === undefined) return state("none", "plain", "It passes its miners on to the front that leads");
  return state(`none for ${format.duration(front.unlinked_ms / 1000)}`, front.unlinked_ms < 60_000 ? "wait" : "bad", "It should have one, and passes its miners on until it has: its log says why");
}

/** @param {Front} front */
const places = (front) =>
  Object.entries(front.listeners)
    .map(([setting, place]) => `${setting}: ${place}`)
    .join("\n");

/** @type {Table<Front>} */
const fronts = new Table({
  caption: "Fronts",
  csv: "fronts",
  empty: "None.",
  rowId: (row) => String(row.number),
  columns: [
    { title: "No.", figures: true, by: (row) => row.number, cell: (row) => String(row.number) },
    { title: "Front", by: (row) => row.name, cell: (row) => el("span", { title: places(row) }, row.name) },
    { title: "State", cell: does },
    { title: "Link", cell: link, hint: "Whether it serves miners on Stratum itself" },
    // Each says twice a second that it lives: what lies between is no silence.
    { title: "Silent for", figures: true, by: (row) => row.silent_ms, cell: (row) => (row.lives ? "–" : format.duration(row.silent_ms / 1000)) },
    { title: "Runs since", by: (row) => row.since, cell: (row) => time(row.since, { ago: true }) },
    { title: "Version", cell: (row) => row.version },
  ],
});

/** What there is to do about them; nothing, if all is well. @param {Front[]} all @returns {import("../dom.js").Child} */
function advice(all) {
  const versions = new Set(all.filter((front) => front.lives).map((front) => front.version));
  if (!all.some((front) => front.leads && front.lives)) return el("p", { class: "note bad" }, "No front leads. Miners are turned away until one does.");
  if (all.filter((front) => front.lives).length === 1) return el("p", { class: "note" }, "No other front stands by: if this one is gone, nobody leads until it is back.");
  if (versions.size > 1) return el("p", { class: "note" }, "Not all fronts run the same version: between those that differ there may be no link.");
  return null;
}

/** @param {Front[]} all */
function showFronts(all) {
  frontsCard.element.hidden = all.length === 0;
  frontsCard.show(fronts.show(all), advice(all));
}

/** @param {Standby | null} standby */
function showStandby(standby) {
  standbyCard.element.hidden = standby === null;
  if (standby === null) return standbyCard.show();
  const lag = standby.lag_secs;
  standbyCard.show(
    facts([
      ["Pages are read from", standby.answers ? state("the standby", "good") : state("the primary", "wait", "What is shown is right all the same; the primary does the work of both")],
      ["The standby is", standby.place],
      ["It is behind by", lag === null ? "nobody knows" : `${format.significant(lag)} s`],
      ["It may be behind by", `${format.count(standby.lag_max_secs)} s`],
    ]),
    standby.why === null ? null : el("p", { class: "note bad" }, `The standby ${standby.why}. It is read from again by itself, some seconds after it is well.`),
  );
}

/** @param {any} told */
export function showFrontsOf(told) {
  showFronts(told.fronts ?? []);
  showStandby(told.standby ?? null);
}
