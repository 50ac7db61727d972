// Payouts: what is under way and what hinders it, and the orders about it.

import { Section, el, facts, figure, money, state, time } from "../dom.js";
import * as format from "../format.js";
import { miner, payout, payoutState } from "../figures.js";
import { PagedTable, Table } from "../table.js";
import { confirm, give, isLoggedOut, order, orderButton, say, showLogin } from "./desk.js";

export const payoutsCard = new Section("Payouts", { wide: true });

const openPayouts = new Table({
  caption: "Payouts under way",
  csv: "payouts-under-way",
  empty: "No payout is under way.",
  rowId: (row) => String(row.id),
  columns: [
    { title: "Payout", by: (row) => row.id, cell: (row) => `#${row.id}` },
    { title: "State", by: (row) => row.state, cell: (row) => payoutState(row.state) },
    { title: "Depth", figures: true, by: (row) => row.confirmations, cell: (row) => figure(row.confirmations, format.count(row.confirmations)) },
    { title: "Transaction", cell: (row) => payout(row.txid) },
  ],
});

/** Why nothing new is planned or sent, or null. @param {boolean} paused @param {any[]} holds */
function standstill(paused, holds) {
  if (paused) return "not before payouts are resumed";
  return holds.length > 0 ? "not before the hold is released" : null;
}

/** Asks by which payment a batch was sent, and marks it paid. @param {any} row */
function markButton(row) {
  const button = el("button", { type: "button" }, "Mark paid …");
  button.addEventListener("click", async () => {
    const input = el("input", { id: "paid-by", required: true, autocomplete: "off", spellcheck: "false" });
    const body = [el("p", {}, `${format.count(row.exported)} payouts of ${row.batch} that wait are marked paid.`), el("p", {}, el("label", { for: "paid-by" }, "The transaction"), input)];
    if (!(await confirm(`Mark ${row.batch} paid?`, body, "Mark paid"))) return;
    const reference = input.value.trim();
    await give("Mark paid", () => order("payout_exporter", "mark_paid", { batch: row.batch, reference }));
  });
  return button;
}

const batches = new PagedTable(
  {
    caption: "Batches",
    empty: "No batch was exported yet.",
    rowId: (row) => row.batch,
    columns: [
      { title: "Batch", cell: (row) => el("a", { href: `/v1/admin/batches/${row.batch}?format=csv`, download: `${row.batch}.csv` }, row.batch), hint: "Its signed table" },
      { title: "At", wide: true, cell: (row) => time(row.at) },
      { title: "In all", figures: true, cell: (row) => money(row.total_sats) },
      { title: "Waiting", figures: true, cell: (row) => figure(row.exported, format.count(row.exported)) },
      { title: "Paid", figures: true, cell: (row) => figure(row.paid, format.count(row.paid)) },
      { title: "Given back", figures: true, wide: true, cell: (row) => figure(row.cancelled, format.count(row.cancelled)) },
      { title: "Order", cell: (row) => (row.exported > 0 ? markButton(row) : "") },
    ],
  },
  "/v1/admin/batches",
  "batches",
  { limit: 10, id: (row) => row.batch },
);

/** Exports all that is payable, in a batch that is named by the moment of it. */
function exportButton() {
  const words = "Export a batch";
  const button = el("button", { type: "button", class: "danger" }, words);
  button.addEventListener("click", async () => {
    const batch = new Date().toISOString().slice(0, 19).replaceAll(":", "");
    const warning = `All that is payable goes into the batch ${batch}, which you then send. It never changes.`;
    if (await confirm(`${words}?`, [el("p", {}, warning)], words)) await give(words, () => order("payout_exporter", "export", { batch }));
  });
  return button;
}

/** Payouts that the operator sends: batches in place of transactions. @param {any} payouts */
async function showExports(payouts) {
  const holds = /** @type {any[]} */ (payouts.holds);
  await batches.refresh();
  payoutsCard.show(
    facts([
      ["State", payouts.paused ? state("paused", "bad") : state("by hand", "good", "This pool has no wallet: you export batches, and send them yourself")],
      holds.length > 0 ? ["Held by", el("span", {}, holds.map((hold) => hold.name).join(", "))] : null,
    ]),
    ...holds.map((one) => el("p", { class: "note bad" }, el("strong", {}, one.name), ` ${one.text} `, el("strong", {}, "What to do: "), one.remedy)),
    batches.element,
    el(
      "p",
      { class: "row" },
      exportButton(),
      payouts.paused ? orderButton("Resume payouts", "paymaster", "resume") : orderButton("Pause payouts", "paymaster", "pause", {}, "No batch begins until you resume."),
      ...holds.map((hold) => (["start", "restored"].includes(hold.name) ? orderButton(`Release the hold ${hold.name}`, "paymaster", "release", { hold: hold.name }, "Look at RUNBOOK.md, Holds, before you do this.") : null)),
    ),
  );
}

/** @param {any} payouts */
function showPayouts(payouts) {
  const { troubles, open, holds } = payouts;
  const still = standstill(payouts.paused, holds);
  payoutsCard.show(
    facts([
      ["State", payouts.paused ? state("paused", "bad") : state("running", "good")],
      payouts.next_plan_at ? ["Planned next", still ?? time(payouts.next_plan_at, { ago: true, isDue: true })] : null,
      holds.length > 0 ? ["Held by", el("span", {}, holds.map((/** @type {any} */ hold) => hold.name).join(", "))] : null,
    ]),
    ...[...holds, ...troubles].map((/** @type {any} */ one) => el("p", { class: "note bad" }, el("strong", {}, one.name), ` ${one.text} `, el("strong", {}, "What to do: "), one.remedy)),
    openPayouts.show(open),
    el(
      "p",
      { class: "row" },
      payNowButton(still === null ? "Pay now …" : "See what would be paid …"),
      payouts.paused ? orderButton("Resume payouts", "paymaster", "resume") : orderButton("Pause payouts", "paymaster", "pause", {}, "Nothing new is set aside, signed or sent until you resume. What is on its way is followed."),
      ...holds.map((/** @type {any} */ hold) => {
        const which = hold.name;
        return ["start", "restored"].includes(which) ? orderButton(`Release the hold ${which}`, "paymaster", "release", { hold: which }, "Payouts go on. Look at RUNBOOK.md, Holds, before you do this.") : null;
      }),
    ),
  );
}

const planned = () =>
  new Table({
    caption: "Whom it pays",
    csv: "payout-plan",
    empty: "Nobody.",
    rowId: (row) => row.hotkey,
    columns: [
      { title: "Miner", cell: (row) => miner(row.hotkey) },
      { title: "Address", cell: (row) => el("span", { class: "mono" }, row.address) },
      { title: "Amount", figures: true, by: (row) => row.amount_sats, cell: (row) => money(row.amount_sats) },
      { title: "Fee it bears", figures: true, by: (row) => row.fee_sats, cell: (row) => money(row.fee_sats) },
    ],
  });

/** Tells exactly what would be sent, and sends it only if the operator agrees. @param {string} words */
function payNowButton(words) {
  const button = el("button", { type: "button", class: "main" }, words);
  button.addEventListener("click", async () => {
    let plan;
    try {
      plan = await order("paymaster", "pay_now", { dry_run: true });
    } catch (error) {
      if (isLoggedOut(error)) showLogin("You have been logged out.");
      else say("bad", `The dry run: ${/** @type {Error} */ (error).message}`);
      return;
    }
    const listed = /** @type {any[]} */ (plan.miners ?? []);
    const waiting = /** @type {any[]} */ (plan.waiting ?? []);
    if (listed.length === 0) {
      say("good", waiting.length === 0 ? "Nothing is due: no balance has reached its threshold." : `Nothing can be sent now. ${format.count(waiting.length)} balances wait.`, plan.trouble ? ` ${plan.trouble}` : "");
      return;
    }
    const isStill = plan.paused || (plan.holds ?? []).length > 0;
    // Without a wallet there is no plan that could be agreed to.
    const canBePaid = !isStill && plan.plan !== null;
    const isAgreed = await confirm(
      canBePaid ? "Pay these miners now?" : "These miners would be paid",
      [
        facts([
          ["Miners", format.count(listed.length)],
          ["In all", money(plan.total_sats)],
          plan.fee_sats === null ? null : ["Fee of the network", el("span", {}, money(plan.fee_sats), ` (borne by the ${plan.fee_payer})`)],
          plan.vbytes === null ? null : ["Size", `${format.count(plan.vbytes)} vbytes, ${format.count(plan.inputs)} inputs`],
          waiting.length > 0 ? ["Balances that wait", format.count(waiting.length)] : null,
        ]),
        planned().show(listed),
        plan.paused ? el("p", { class: "note bad" }, "Payouts are paused: nothing is sent until you resume them.") : null,
        (plan.holds ?? []).length > 0 ? el("p", { class: "note bad" }, "Payouts are held: nothing is sent until the hold is released.") : null,
        plan.trouble ? el("p", { class: "note bad" }, plan.trouble) : null,
      ],
      canBePaid ? `Pay ${format.coins(plan.total_sats)} ${format.coinName()}` : null,
    );
    if (isAgreed) await give("Pay now", () => order("paymaster", "pay_now", { plan: plan.plan }));
  });
  return button;
}

/** @param {any} told */
export async function showPayoutsOf(told) {
  if (told.payouts.by_export) await showExports(told.payouts);
  else showPayouts(told.payouts);
}
