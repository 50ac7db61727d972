// Figures that several pages show.

import { el, figure, hashrate, link, money, name, state, time } from "./dom.js";
import * as format from "./format.js";
import { part } from "./api.js";
import { BLOCK_STATES, PAYOUT_STATES, REJECTIONS } from "./words.js";

/** @typedef {import("./dom.js").Child} Child */

/** @param {string} word */
export const blockState = (word) => state(word, BLOCK_STATES[word]?.tone ?? "plain", BLOCK_STATES[word]?.means);

/** @param {string} word */
export const payoutState = (word) => state(word, PAYOUT_STATES[word]?.tone ?? "plain", PAYOUT_STATES[word]?.means);

/** A work in blocks to be expected. @param {number | null | undefined} effort */
export const effort = (effort) =>
  effort === null || effort === undefined
    ? el("span", { class: "quiet" }, "–")
    : figure(effort, format.percent(effort, effort < 10 ? 1 : 0), `${format.significant(effort, 5)} times the work of an average block`);

/** @param {string} hotkey */
export const miner = (hotkey) => name(hotkey, `/miners/${part(hotkey)}`);

/** @param {string} hash */
export const block = (hash) => {
  // A block's hash begins with zeros: its end tells blocks apart.
  const anchor = el("a", { href: `/blocks/${part(hash)}`, class: "mono", title: hash }, `…${hash.slice(-12)}`);
  return anchor;
};

/** @param {number | bigint | string} id */
export const round = (id) => link(`/rounds/${part(id)}`, `#${id}`);

/** @param {string | null | undefined} txid */
export const payout = (txid) => (txid ? name(txid, `/payouts/${part(txid)}`) : el("span", { class: "quiet" }, "not signed yet"));

/** Columns of blocks. @type {import("./table.js").Column<any>[]} */
export const BLOCK_COLUMNS = [
  { title: "Height", figures: true, by: (row) => row.height, cell: (row) => link(`/blocks/${part(row.hash)}`, figure(row.height, format.count(row.height))) },
  { title: "Found", by: (row) => row.found_at, cell: (row) => time(row.found_at, { ago: true }) },
  { title: "State", by: (row) => row.state, cell: (row) => blockState(row.state) },
  { title: "Depth", figures: true, by: (row) => row.confirmations, cell: (row) => figure(row.confirmations, format.count(row.confirmations)), hint: "Confirmations when last looked at" },
  { title: "Value", figures: true, by: (row) => row.reward_sats, cell: (row) => money(row.reward_sats) },
  { title: "Effort", figures: true, by: (row) => row.effort, cell: (row) => effort(row.effort), hint: "Work since the block before; 100 % is average" },
  { title: "Found by", wide: true, cell: (row) => (row.found_by ? miner(row.found_by) : el("span", { class: "quiet" }, "not known")) },
  { title: "Hash", wide: true, cell: (row) => block(row.hash) },
];

/** Columns of rounds. @type {import("./table.js").Column<any>[]} */
export const ROUND_COLUMNS = [
  { title: "Round", figures: true, by: (row) => row.id, cell: (row) => round(row.id) },
  { title: "Closed", by: (row) => row.closed_at, cell: (row) => time(row.closed_at, { ago: true }) },
  { title: "Scheme", wide: true, by: (row) => row.scheme, cell: (row) => row.scheme },
  { title: "Blocks", figures: true, by: (row) => row.blocks.length, cell: (row) => figure(row.blocks.length, format.count(row.blocks.length)) },
  { title: "Reward", figures: true, by: (row) => row.reward_sats, cell: (row) => money(row.reward_sats) },
  { title: "Fee", figures: true, wide: true, by: (row) => row.fee_sats, cell: (row) => money(row.fee_sats) },
  { title: "To miners", figures: true, by: (row) => row.credited_sats, cell: (row) => money(row.credited_sats) },
  { title: "Kept", figures: true, wide: true, by: (row) => row.kept_sats, cell: (row) => money(row.kept_sats), hint: "To the pool's reserve" },
];

/** Columns of rounds where there are no blocks. */
export const EVALUATED_ROUND_COLUMNS = ROUND_COLUMNS.filter((column) => column.title !== "Blocks");

/** The figure over a time, in a tile. @param {string} label @param {Child} value @param {Child} [below] */
export const tile = (label, value, below) => el("div", { class: "tile" }, el("dt", {}, label), el("dd", {}, value, below ? el("small", {}, below) : null));

const WINDOWS = /** @type {[number, string][]} */ ([
  [600, "10 min"],
  [3600, "1 hour"],
  [86400, "24 hours"],
]);

/** Hashrates over their windows, as tiles; one tile where the pool tells but one. @param {any} of */
export function hashrateTiles(of) {
  const known = new Map((of.hashrates ?? []).map((/** @type {any} */ one) => [one.window_secs, one]));
  if (known.size === 0) return [tile("Hashrate", hashrate(of.hashrate, of.hashrate_error))];
  return WINDOWS.filter(([secs]) => known.has(secs)).map(([secs, label]) => {
    const one = /** @type {any} */ (known.get(secs));
    // Who began later is averaged since then.
    const isYoung = one.over_secs !== undefined && one.over_secs < secs;
    return tile(`Hashrate, ${label}`, hashrate(one.hashrate, one.error), isYoung ? `of ${format.duration(one.over_secs)} so far` : null);
  });
}

/** The hashrate over the shortest window that is told. @param {any} of */
export const shortHashrate = (of) => of.hashrates?.[0]?.hashrate ?? of.hashrate;

/** Accepted and refused shares, each reason with its remedy. @param {any} shares @param {boolean} withRemedies */
export function verdicts(shares, withRemedies) {
  const rejected = /** @type {[string, number][]} */ (Object.entries(shares.rejected ?? {}));
  const refused = rejected.reduce((sum, [, n]) => sum + n, 0);
  const all = shares.accepted + refused;
  const bar = el("div", { class: "bar-line", "aria-hidden": "true" });
  bar.append(piece("good", shares.accepted, all));
  for (const [reason, n] of rejected) bar.append(piece(reason === "stale" ? "wait" : "bad", n, all));
  const rows = rejected
    .filter(([, n]) => n > 0)
    .sort((a, b) => b[1] - a[1])
    .map(([reason, n]) => {
      const words = REJECTIONS[reason];
      const title = words?.title ?? reason.replaceAll("_", " ");
      const term = withRemedies && words ? el("span", {}, title) : el("span", { title: words?.means }, title);
      return el(
        "div",
        { class: "verdict" },
        el("dt", {}, term),
        el("dd", { class: "figures" }, figure(n, format.count(n)), el("small", {}, ` ${format.percent(all === 0 ? 0 : n / all, 2)}`)),
        withRemedies && words ? el("dd", { class: "remedy" }, `${words.means} `, el("strong", {}, "What to do: "), words.remedy) : null,
      );
    });
  return el(
    "div",
    {},
    bar,
    el(
      "dl",
      { class: "verdicts" },
      el("div", { class: "verdict" }, el("dt", {}, "Accepted"), el("dd", { class: "figures" }, figure(shares.accepted, format.count(shares.accepted)), el("small", {}, ` ${format.percent(all === 0 ? 0 : shares.accepted / all, 2)}`))),
      rows,
    ),
    rows.length === 0 ? el("p", { class: "quiet" }, all === 0 ? "No share came yet." : "No share was refused.") : null,
  );
}

/** @param {string} tone @param {number} part @param {number} all */
function piece(tone, part, all) {
  const span = el("span", { class: tone });
  span.style.flexGrow = String(all === 0 ? 0 : part / all);
  return span;
}

/** A line that fills up to one. @param {number} value @param {string} label */
export function progress(value, label) {
  const bar = el("progress", { max: "1", value: Math.max(0, Math.min(1, value)), "aria-label": label });
  return bar;
}
