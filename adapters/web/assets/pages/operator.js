// The operator's page: how every part is, what hinders it, and the orders that an operator gives.

import { ask } from "../api.js";
import { Section, append, el, facts, figure, main, money, name, replace, state, time, trouble } from "../dom.js";
import * as format from "../format.js";
import { miner, payoutState } from "../figures.js";
import { begin } from "../shell.js";
import { PagedTable, Table } from "../table.js";
import { POOL_STATES, VERDICTS } from "../words.js";

/** @typedef {import("../dom.js").Child} Child */

const page = main("Operator");
const notes = el("div", { "aria-live": "polite" });
const grid = el("div", { class: "grid" });
page.append(notes, grid);

/** What every change carries; null while nobody is logged in. @type {string | null} */
let csrf = null;

const stateCard = new Section("State");
const hindrancesCard = new Section("What hinders it");
const booksCard = new Section("Books", { note: "Assets and liabilities have to be equal, to the last sat." });
const commitCard = new Section("Ledger");
const payoutsCard = new Section("Payouts", { wide: true });
const nodesCard = new Section("Nodes", { wide: true });
const actorsCard = new Section("Parts", { wide: true, note: "How many messages wait for each part, and how many may." });
const ordersCard = new Section("Orders", { wide: true });
const bansCard = new Section("Bans", { wide: true });
const auditCard = new Section("Audit trail", { wide: true, note: "Every order that was given, and what came of it." });
const sections = [stateCard, hindrancesCard, booksCard, commitCard, payoutsCard, ordersCard, nodesCard, actorsCard, bansCard, auditCard];

/** Sends an order. @param {string} actor @param {string} message @param {Record<string, unknown>} [fields] */
function order(actor, message, fields = {}) {
  return ask("/v1/admin/control", { method: "POST", body: { actor, message, ...fields }, headers: { "x-csrf-token": csrf ?? "" } });
}

/** Says what came of something. @param {"good" | "bad"} tone @param {...Child} children */
function say(tone, ...children) {
  notes.replaceChildren(el("p", { class: `note ${tone}`, role: tone === "bad" ? "alert" : null }, ...children));
}

/** Gives an order, says what came of it, and shows the new state. @param {string} words @param {() => Promise<any>} give */
async function give(words, give) {
  try {
    const answer = await give();
    const isSaved = answer?.saved !== false;
    say("good", `${words}: done.${isSaved ? "" : " It holds, but could not be stored yet: the ledger cannot be written."}`);
    await refresh();
  } catch (error) {
    if (isLoggedOut(error)) showLogin("You have been logged out.");
    else say("bad", `${words}: ${/** @type {Error} */ (error).message}`);
  }
}

/** @param {unknown} error */
const isLoggedOut = (error) => [401].includes(/** @type {{status?: number}} */ (error).status ?? 0);

/** Asks before something that cannot be taken back. @param {string} title @param {Child[]} body @param {string} yes
 * @returns {Promise<boolean>} */
function confirm(title, body, yes) {
  return new Promise((resolve) => {
    const agreed = el("button", { type: "button", class: "main" }, yes);
    const refused = el("button", { type: "button" }, "Cancel");
    const dialog = el("dialog", { "aria-labelledby": "dialog-title" }, el("h2", { id: "dialog-title" }, title), el("div", { class: "body" }, ...body), el("p", { class: "row" }, agreed, refused));
    const end = (/** @type {boolean} */ answer) => {
      dialog.close();
      dialog.remove();
      resolve(answer);
    };
    agreed.addEventListener("click", () => end(true));
    refused.addEventListener("click", () => end(false));
    dialog.addEventListener("cancel", () => end(false));
    document.body.append(dialog);
    dialog.showModal();
    refused.focus();
  });
}

/** @param {string} [why] */
function showLogin(why) {
  csrf = null;
  const token = el("input", { id: "token", type: "password", autocomplete: "current-password", required: true, spellcheck: "false" });
  const form = el(
    "form",
    { class: "login" },
    why ? el("p", { class: "note" }, why) : null,
    el("p", {}, "The admin token is in ", el("code", {}, "admin.token"), " in the pool's data directory. It is entered once; this browser then keeps a cookie that no script can read."),
    el("label", { for: "token" }, "Admin token"),
    token,
    el("p", {}, el("button", { type: "submit", class: "main" }, "Log in")),
  );
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
      const session = await ask("/v1/admin/session", { method: "POST", body: { token: token.value } });
      csrf = session.csrf;
      notes.replaceChildren();
      grid.replaceChildren();
      await refresh();
    } catch (error) {
      const refusal = /** @type {import("../api.js").Refusal} */ (error);
      say("bad", refusal.status === 401 ? "This is not the admin token." : refusal.message);
      token.select();
    }
  });
  grid.replaceChildren(el("section", { class: "card wide", "aria-labelledby": "login-heading" }, el("h2", { id: "login-heading" }, "Log in"), el("div", { class: "body" }, form)));
}

/** @param {any} told */
function showState(told) {
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

/** A button that gives an order; if `warning` is there, after it was confirmed. @param {string} words @param {string} actor
 * @param {string} message @param {Record<string, unknown>} [fields] @param {string} [warning] */
function orderButton(words, actor, message, fields = {}, warning) {
  const button = el("button", { type: "button", class: warning ? "danger" : null }, words);
  button.addEventListener("click", async () => {
    if (warning && !(await confirm(`${words}?`, [el("p", {}, warning)], words))) return;
    await give(words, () => order(actor, message, fields));
  });
  return button;
}

function logoutButton() {
  const button = el("button", { type: "button" }, "Log out");
  button.addEventListener("click", async () => {
    let isSaved = true;
    try {
      const answer = await ask("/v1/admin/session", { method: "DELETE", headers: { "x-csrf-token": csrf ?? "" } });
      isSaved = answer?.saved !== false;
    } catch (error) {
      if (!isLoggedOut(error)) return say("bad", /** @type {Error} */ (error).message);
    }
    showLogin(`You are logged out.${isSaved ? "" : " It holds, but could not be stored yet: the ledger cannot be written."}`);
  });
  return button;
}

/** @param {any[]} hindrances */
function showHindrances(hindrances) {
  if (hindrances.length === 0) {
    hindrancesCard.show(el("p", { class: "note good" }, "Nothing. All parts do what they should."));
    return;
  }
  hindrancesCard.show(
    ...hindrances.map((one) =>
      el("div", { class: "way" }, el("h3", {}, state(one.name, "bad"), " ", one.text ?? ""), el("p", {}, one.remedy ?? ""), one.runbook ? el("p", {}, "RUNBOOK.md: ", el("em", {}, one.runbook)) : null),
    ),
  );
}

/** Names as words: `in_flight` is `In flight`. @param {string} text */
const spoken = (text) => {
  const words = text.replace(/_sats$/, "").replaceAll("_", " ");
  return `${words.slice(0, 1).toUpperCase()}${words.slice(1)}`;
};

/** @param {any} books */
function showBooks(books) {
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
function showCommit(commit) {
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

/** Payouts that the operator sends: batches in place of transactions. @param {any} payouts */
async function showExports(payouts) {
  const holds = /** @type {any[]} */ (payouts.holds);
  const today = new Date().toISOString().slice(0, 19).replaceAll(":", "");
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
      orderButton("Export a batch", "payout_exporter", "export", { batch: today }, `All that is payable goes into the batch ${today}, which you then send. It never changes.`),
      payouts.paused ? orderButton("Resume payouts", "paymaster", "resume") : orderButton("Pause payouts", "paymaster", "pause", {}, "No batch begins until you resume."),
      ...holds.map((hold) => (["start", "restored"].includes(hold.name) ? orderButton(`Release the hold ${hold.name}`, "paymaster", "release", { hold: hold.name }, "Look at RUNBOOK.md, Holds, before you do this.") : null)),
    ),
  );
}

/** @param {any} payouts */
function showPayouts(payouts) {
  const { troubles, open, holds } = payouts;
  const rows = open.map((/** @type {any} */ one) =>
    el(
      "tr",
      {},
      el("th", { scope: "row" }, `#${one.id}`),
      el("td", {}, payoutState(one.state)),
      el("td", { class: "figures" }, one.confirmations),
      el("td", {}, one.txid ? name(one.txid, `/payouts/${one.txid}`) : "not signed yet"),
    ),
  );
  payoutsCard.show(
    facts([
      ["State", payouts.paused ? state("paused", "bad") : state("running", "good")],
      payouts.next_plan_at ? ["Planned next", time(payouts.next_plan_at, { ago: true, isDue: true })] : null,
      holds.length > 0 ? ["Held by", el("span", {}, holds.map((/** @type {any} */ hold) => hold.name).join(", "))] : null,
    ]),
    ...[...holds, ...troubles].map((/** @type {any} */ one) => el("p", { class: "note bad" }, el("strong", {}, one.name), ` ${one.text} `, el("strong", {}, "What to do: "), one.remedy)),
    open.length === 0
      ? el("p", { class: "empty" }, "No payout is under way.")
      : el("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": "Payouts under way" }, el("table", {}, el("caption", {}, "Payouts under way"), el("thead", {}, el("tr", {}, ["Payout", "State", "Depth", "Transaction"].map((title, index) => el("th", { scope: "col", class: index === 2 ? "figures" : null }, title)))), el("tbody", {}, rows))),
    el(
      "p",
      { class: "row" },
      payNowButton(),
      payouts.paused ? orderButton("Resume payouts", "paymaster", "resume") : orderButton("Pause payouts", "paymaster", "pause", {}, "Nothing new is set aside, signed or sent until you resume. What is on its way is followed."),
      ...holds.map((/** @type {any} */ hold) => {
        const which = hold.name;
        return ["start", "restored"].includes(which) ? orderButton(`Release the hold ${which}`, "paymaster", "release", { hold: which }, "Payouts go on. Look at RUNBOOK.md, Holds, before you do this.") : null;
      }),
    ),
  );
}

/** Tells exactly what would be sent, and sends it only if the operator agrees. */
function payNowButton() {
  const button = el("button", { type: "button", class: "main" }, "Pay now …");
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
      say("good", waiting.length === 0 ? "Nothing is due: no balance has reached its threshold." : `Nothing can be sent now. ${format.count(waiting.length)} balances wait.`, plan.trouble ? ` ${plan.trouble.detail ?? plan.trouble}` : "");
      return;
    }
    const rows = listed.map((one) => el("tr", {}, el("td", {}, miner(one.hotkey)), el("td", {}, el("span", { class: "mono" }, one.address)), el("td", { class: "figures" }, money(one.amount_sats)), el("td", { class: "figures" }, money(one.fee_sats))));
    const heads = ["Miner", "Address", "Amount", "Fee it bears"].map((title, index) => el("th", { scope: "col", class: index > 1 ? "figures" : null }, title));
    const isAgreed = await confirm(
      "Pay these miners now?",
      [
        facts([
          ["Miners", format.count(listed.length)],
          ["In all", money(plan.total_sats)],
          ["Fee of the network", el("span", {}, money(plan.fee_sats), ` (borne by the ${plan.fee_payer})`)],
          ["Size", `${format.count(plan.vbytes)} vbytes, ${format.count(plan.inputs)} inputs`],
          waiting.length > 0 ? ["Balances that wait", format.count(waiting.length)] : null,
        ]),
        el("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": "Whom it pays" }, el("table", {}, el("caption", {}, "Whom it pays"), el("thead", {}, el("tr", {}, heads)), el("tbody", {}, rows))),
        (plan.holds ?? []).length > 0 ? el("p", { class: "note bad" }, "Payouts are held: this will be refused until the hold is released.") : null,
      ],
      `Pay ${format.coins(plan.total_sats)} ${format.coinName()}`,
    );
    if (isAgreed) await give("Pay now", () => order("paymaster", "pay_now", { plan: plan.plan }));
  });
  return button;
}

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
function showOrders(settings) {
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

async function refresh() {
  if (csrf === null) return;
  let told;
  try {
    told = await ask("/v1/admin/state");
  } catch (error) {
    if (isLoggedOut(error)) return showLogin("You have been logged out.");
    throw error;
  }
  if (!stateCard.element.isConnected) {
    grid.replaceChildren();
    append(grid, sections.map((section) => section.element));
  }
  showState(told);
  showHindrances(told.hindrances);
  showBooks(told.books);
  showCommit(told.commit);
  if (told.payouts.by_export) await showExports(told.payouts);
  else showPayouts(told.payouts);
  showOrders(told.settings);
  nodesCard.show(nodes.show(told.nodes));
  actorsCard.show(actors.show(told.actors));
  bans.show(told.bans);
  if (!banForm.isConnected) bansCard.show(bans.element, el("h3", {}, "Ban a miner"), banForm);
  await audit.refresh();
  if (!audit.element.isConnected) auditCard.show(audit.element);
}

/** Whether this browser is logged in already. */
async function resume() {
  try {
    const session = await ask("/v1/admin/session");
    csrf = session.csrf ?? null;
    if (csrf === null) showLogin();
  } catch (error) {
    const refusal = /** @type {import("../api.js").Refusal} */ (error);
    if (refusal.status === 401 || refusal.status === 403) showLogin();
    else replace(grid, [el("div", { class: "card wide" }, trouble(error, "an operator's page"))]);
  }
}

let isResumed = false;

void begin({
  topics: ["block", "round", "payout", "chain"],
  refresh: async () => {
    if (!isResumed) {
      isResumed = true;
      await resume();
    }
    await refresh();
  },
});
