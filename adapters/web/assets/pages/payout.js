// One payout: how far it is, and whom it pays.

import { ask, part, pathParts } from "../api.js";
import { Section, copyLine, el, facts, figure, link, main, money, name, replace, time, trouble } from "../dom.js";
import * as format from "../format.js";
import { miner, payoutState } from "../figures.js";
import { begin } from "../shell.js";
import { Table } from "../table.js";
import { showNamed } from "../watched.js";
import { PAYOUT_STATES } from "../words.js";

const GOOD_WAY = ["reserved", "signed", "broadcast", "confirmed"];

/** @param {any} payout */
function steps(payout) {
  /** @type {Record<string, string>} */
  const at = Object.fromEntries((payout.steps ?? []).map((/** @type {any} */ step) => [step.state, step.at]));
  const isOver = payout.state === "returned" || payout.state === "cancelled";
  const names = isOver ? ["reserved", payout.state] : GOOD_WAY;
  const reached = isOver ? names.length : GOOD_WAY.indexOf(payout.state);
  return el(
    "ol",
    { class: "steps" },
    names.map((name, index) =>
      el("li", { class: isOver && index === 1 ? "done bad" : index <= reached ? "done" : null, title: PAYOUT_STATES[name]?.means }, el("strong", {}, name === "confirmed" ? "paid" : name === "reserved" ? "set aside" : name), at[name] ? time(at[name]) : el("span", { class: "quiet" }, index <= reached ? "" : "not yet")),
    ),
  );
}

/** Shows the payout; below a watch link, with the part of the miner that the link shows.
 * @param {import("../watched.js").Shown} shown */
function showPayout({ id, base, isWatched, check: checkLink }) {
  const txid = (pathParts().at(-1) ?? "").toLowerCase();
  const page = main("Payout", isWatched ? el("span", { class: "lead" }, "as ", link(base, `miner ${format.shortened(id)}`), " sees it") : null);
  const way = new Section("From set aside to paid", { wide: true });
  const card = new Section("Payout");
  const check = new Section("Sum check", { note: "Added up in this page, from the figures of the API." });
  const list = new Section("Whom it pays", { wide: true });
  const grid = el("div", { class: "grid" }, way.element, card.element, check.element, list.element);
  page.append(el("p", { class: "lead" }, copyLine(txid, "transaction id")), grid);

  const parts = new Table({
    caption: "Parts of the payout",
    csv: "payout-parts",
    empty: "Only the owners and the operator see its parts.",
    columns: [
      { title: "Miner", by: (row) => row.hotkey ?? "", cell: (row) => (row.hotkey ? (isWatched && row.hotkey === id ? name(id, base) : miner(row.hotkey)) : el("span", { class: "quiet" }, "hidden")) },
      { title: "Address", cell: (row) => (row.address ? el("span", { class: "mono", title: row.address }, format.shortened(row.address, 14, 8)) : el("span", { class: "quiet" }, "hidden")) },
      { title: "Amount", figures: true, by: (row) => row.amount_sats, cell: (row) => money(row.amount_sats) },
      { title: "Fee", figures: true, by: (row) => row.fee_sats, cell: (row) => money(row.fee_sats ?? 0), hint: "Of the network, as far as the miner bears it" },
    ],
  });

  void begin({
    topics: ["payout", "chain"],
    refresh: async () => {
      let payout;
      try {
        await checkLink();
        payout = await ask(`/v1/payouts/${part(txid)}`);
      } catch (error) {
        if (/** @type {{status?: number}} */ (error).status === 0) throw error;
        replace(grid, [el("div", { class: "card wide" }, trouble(error, "this payout"))]);
        return;
      }
      const title = document.querySelector("h1");
      if (title) title.textContent = `Payout ${payout.id}`;
      way.show(steps(payout), el("p", { class: "lead" }, PAYOUT_STATES[payout.state]?.means ?? ""), payout.note ? el("p", { class: "note" }, payout.note) : null);
      const rows = payout.parts ?? [];
      card.show(
        facts([
          ["State", payoutState(payout.state)],
          ["Depth", figure(payout.confirmations, format.count(payout.confirmations))],
          ["Miners", figure(payout.miners, format.count(payout.miners))],
          ["Taken from balances", money(payout.debited_sats)],
          payout.fee_sats === null ? null : ["Fee of the network", el("span", {}, money(payout.fee_sats), el("span", { class: "quiet" }, ` (${payout.fee_rate_sats} sats a vbyte, borne by the ${payout.fee_payer})`))],
          ["Set aside", time(payout.reserved_at)],
          ["First sent", time(payout.sent_at)],
        ]),
      );
      const isHidden = (payout.hidden ?? []).length > 0;
      list.show(isHidden && rows.length === 0 ? el("p", { class: "empty" }, "Only the miners themselves and the operator see who was paid how much.") : parts.show(rows), isHidden && rows.length > 0 ? el("p", { class: "lead" }, "What others get is for themselves and the operator to see.") : null);
      const sum = rows.reduce((/** @type {bigint} */ all, /** @type {any} */ row) => all + BigInt(row.amount_sats) + BigInt(row.fee_sats), 0n);
      if (isHidden) {
        check.show(el("p", { class: "empty" }, "Some parts are hidden, so that there is nothing to add up."));
        return;
      }
      const isEqual = sum === BigInt(payout.debited_sats);
      check.show(
        facts([
          [`${format.count(rows.length)} parts with their fees`, money(sum)],
          ["Taken from balances", money(payout.debited_sats)],
        ]),
        isEqual ? el("p", { class: "note good", role: "status" }, "Equal, to the last sat.") : el("p", { class: "note bad", role: "alert" }, `They differ by ${format.count(sum - BigInt(payout.debited_sats))} sats. Tell the operator.`),
      );
    },
  });
}

await showNamed(showPayout);
