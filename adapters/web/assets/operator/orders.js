// What an operator changes, whom the pool bans, and who ordered what.

import { Section, el, name, time } from "../dom.js";
import { miner } from "../figures.js";
import { PagedTable, Table } from "../table.js";
import { confirm, give, order, orderButton, say } from "./desk.js";

export const ordersCard = new Section("Orders", { wide: true });
export const bansCard = new Section("Bans", { wide: true });
export const auditCard = new Section("Audit trail", { wide: true, note: "Every order that was given, and what came of it." });

/** A form with one field that gives an order. @param {string} words @param {string} label @param {string} id
 * @param {string | number} value @param {(text: string) => [string, string, Record<string, unknown>]} make @param {string} hint */
function setting(words, label, id, value, make, hint) {
  const input = el("input", { id, value, inputmode: "decimal", required: true, "aria-describedby": `${id}-hint` });
  const form = el("form", {}, el("label", { for: id }, label), input, el("small", { id: `${id}-hint` }, hint), el("div", {}, el("button", { type: "submit" }, words)));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    // Number() takes a space for 0 and 0x10 for 16: only digits are a number here.
    if (!/^\d{1,16}$/.test(input.value.trim())) {
      say("bad", `${label}: ${input.value.trim() === "" ? "nothing" : input.value.trim()} is no whole number.`);
      return;
    }
    const [actor, message, fields] = make(input.value.trim());
    if (await confirm(`${words}?`, [el("p", {}, `${label}: ${value} becomes ${input.value.trim()}.`)], words)) await give(words, () => order(actor, message, fields));
  });
  return form;
}

let ordersShownFor = "";

/** @param {any} settings */
export function showOrders(settings) {
  // While an operator types, nothing changes under the fingers.
  const key = JSON.stringify(settings);
  if (key === ordersShownFor && ordersCard.body.querySelector("form")) return;
  ordersShownFor = key;
  const isOpen = settings.registration_open !== false;
  ordersCard.show(
    el(
      "div",
      { class: "forms" },
      setting("Set the interval", "Seconds between rounds", "set-interval", settings.run_interval_secs ?? "", (text) => ["reward_distributor", "set_run_interval", { run_interval_secs: Number(text) }], "A round closes so often, if there is something to credit."),
      setting("Set the fee", "Fee in hundredths of a percent", "set-fee", settings.fee_bps ?? "", (text) => ["reward_distributor", "set_fee", { fee_bps: Number(text) }], "100 is 1 %. It holds for blocks that are found from now on."),
      setting("Set the threshold", "Payout threshold in sats", "set-threshold", settings.threshold_sats ?? "", (text) => ["paymaster", "set_threshold", { threshold_sats: Number(text) }], "Balances below it are carried over."),
    ),
    el(
      "p",
      { class: "row" },
      orderButton("Close a round now", "reward_distributor", "distribute_now"),
      settings.rounds_paused === true ? orderButton("Resume rounds", "reward_distributor", "resume") : orderButton("Pause rounds", "reward_distributor", "pause", {}, "No round closes until you resume them. Shares go on counting; what is due is credited afterwards."),
      isOpen ? orderButton("Close registration", "miner_manager", "close_registration", {}, "New miners are refused; those that are registered go on.") : orderButton("Open registration", "miner_manager", "open_registration"),
      orderButton("Fetch new work", "work_manager", "refresh"),
    ),
  );
}

const bans = new Table({
  caption: "Banned miners",
  csv: "bans",
  empty: "Nobody is banned.",
  rowId: (row) => row.hotkey,
  columns: [
    { title: "Miner", cell: (row) => miner(row.hotkey) },
    { title: "Why", cell: (row) => row.reason },
    { title: "Until", cell: (row) => (row.until ? time(row.until) : "for good") },
    { title: "Order", cell: (row) => orderButton("Lift", "miner_manager", "unban", { hotkey: row.hotkey }) },
  ],
});
const banForm = el(
  "form",
  { class: "forms" },
  el("div", {}, el("label", { for: "ban-hotkey" }, "Hotkey"), el("input", { id: "ban-hotkey", required: true, autocomplete: "off", spellcheck: "false" })),
  el("div", {}, el("label", { for: "ban-reason" }, "Why"), el("input", { id: "ban-reason", required: true, autocomplete: "off" })),
  el("div", {}, el("label", { for: "ban-until" }, "Until (empty: for good)"), el("input", { id: "ban-until", type: "datetime-local" })),
  el("div", {}, el("button", { type: "submit", class: "danger" }, "Ban")),
);
banForm.addEventListener("submit", async (event) => {
  event.preventDefault();
  const field = (/** @type {string} */ id) => /** @type {HTMLInputElement} */ (document.getElementById(id));
  const hotkey = field("ban-hotkey").value.trim();
  const until = field("ban-until").value;
  const fields = { hotkey, reason: field("ban-reason").value.trim(), ...(until === "" ? {} : { until: new Date(until).toISOString() }) };
  if (await confirm("Ban this miner?", [el("p", {}, hotkey), el("p", {}, "Its shares are refused from now on. What it is owed stays its own.")], "Ban")) {
    await give("Ban", () => order("miner_manager", "ban", fields));
    banForm.reset();
  }
});

const audit = new PagedTable(
  {
    caption: "Audit trail",
    empty: "No order was given yet.",
    rowId: (row) => String(row.id),
    columns: [
      { title: "No.", figures: true, cell: (row) => String(row.id) },
      { title: "At", cell: (row) => time(row.at) },
      { title: "Who", cell: (row) => (row.who === "token" ? "token" : name(row.who)) },
      { title: "Order", cell: (row) => el("span", {}, el("code", {}, `${row.actor} ${row.message}`)) },
      { title: "Fields", cell: (row) => shortJson(row.fields) },
      { title: "What came of it", cell: (row) => shortJson(row.outcome) },
    ],
  },
  "/v1/admin/audit",
  "audit",
  { limit: 10, id: (row) => String(row.id) },
);

/** @param {unknown} value */
function shortJson(value) {
  const all = JSON.stringify(value, (_key, one) => (typeof one === "bigint" ? one.toString() : one)) ?? "";
  if (all === "{}" || all === "null") return "";
  return el("code", { title: all }, all.length > 60 ? `${all.slice(0, 57)}…` : all);
}

/** @param {any} told */
export function showBans(told) {
  bans.show(told.bans);
  if (!banForm.isConnected) bansCard.show(bans.element, el("h3", {}, "Ban a miner"), banForm);
}

export async function showAudit() {
  await audit.refresh();
  if (!audit.element.isConnected) auditCard.show(audit.element);
}
