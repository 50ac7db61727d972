// A miner as its page and its watchers see it.

import { ask, part } from "./api.js";
import { HashrateChart } from "./chart.js";
import { Section, copyLine, el, facts, figure, hashrate, link, main, money, replace, setTitle, state, time, trouble } from "./dom.js";
import * as format from "./format.js";
import { block, hashrateTiles, payout, payoutState, progress, round, shortHashrate, tile, verdicts } from "./figures.js";
import { balanceFacts, minerPath, resultsOf } from "./evaluated.js";
import { begin, poolNow } from "./shell.js";
import { PagedTable, Table } from "./table.js";
import { CREDIT_KINDS, WAITS } from "./words.js";

/** @typedef {import("./dom.js").Child} Child */

/** A worker that had no share for so long is shown as quiet. */
const QUIET_SECS = 600;

/** Names of the periods of earnings. @type {Record<string, string>} */
const PERIODS = { today: "Today so far", yesterday: "Yesterday", "7_days": "Last 7 days", "30_days": "Last 30 days" };

/** Shows a miner. @param {import("./watched.js").Shown} shown */
export function showMiner({ id, base, isWatched, check }) {
  const path = minerPath(id);
  const results = resultsOf(path);
  const page = main("Miner");
  const who = el("p", { class: "lead" }, copyLine(id, "miner"));
  const notes = el("div", {});
  const tiles = el("dl", { class: "tiles" });
  const grid = el("div", { class: "grid" });
  const history = new Section("Hashrate", { wide: true });
  const workersCard = new Section("Workers", { wide: true, note: "Where the operator has turned it on, its owner is told when one goes quiet, by webhook, ntfy or mail: dwarves notifications set --help." });
  const nextCard = new Section("Next payout");
  const balancesCard = new Section("Balances");
  const windowCard = new Section("Place in the reward window");
  const sharesCard = new Section("Shares");
  const earningsCard = new Section("Earned beside expected", { wide: true, note: "Expected is what this work brings on average. Blocks come by luck, so what was earned differs; in two of three cases by no more than the spread." });
  const creditsCard = new Section("Credits", { wide: true });
  const payoutsCard = new Section("Payouts", { wide: true });
  page.append(who, notes, tiles, grid);

  const chart = new HashrateChart(`${path}/history`, "miner's hashrate");
  const ofWorker = el("select", { id: "chart-worker" }, el("option", { value: "" }, "all workers"));
  const chartChoice = el("p", { class: "row chart-worker" }, el("label", { for: "chart-worker", class: "quiet" }, "Of"), ofWorker);
  ofWorker.addEventListener("change", () => {
    chart.query = ofWorker.value === "" ? "" : new URLSearchParams({ worker: ofWorker.value }).toString();
    void chart.refresh();
  });
  const workers = new Table({
    caption: "Workers",
    csv: "workers",
    empty: "No worker yet.",
    rowId: (row) => row.name,
    columns: [
      { title: "Worker", by: (row) => row.name, cell: (row) => link(`${base}/workers/${part(row.name)}`, row.name) },
      { title: "Hashrate", figures: true, by: (row) => shortHashrate(row), cell: (row) => hashrate(shortHashrate(row), row.hashrates?.[0]?.error) },
      { title: "Last share", by: (row) => row.last_share_at, cell: (row) => lastShare(row.last_share_at) },
      { title: "Difficulty", figures: true, by: (row) => row.share_difficulty, cell: (row) => figure(row.share_difficulty, format.difficulty(row.share_difficulty)), hint: "Of its next job" },
      { title: "Accepted", figures: true, by: (row) => row.shares, cell: (row) => figure(row.shares, format.count(row.shares)) },
      { title: "Refused", figures: true, by: (row) => refusedOf(row), cell: (row) => refusedShare(row) },
    ],
  });
  const earnings = new Table({
    caption: "Earned beside expected",
    csv: "earnings",
    empty: "Nothing yet.",
    rowId: (row) => row.name,
    columns: [
      { title: "Period", cell: (row) => el("span", { title: `${format.localTime(new Date(row.from))} to ${format.localTime(new Date(row.to))}` }, PERIODS[row.name] ?? row.name) },
      { title: "Earned", figures: true, cell: (row) => el("span", {}, money(row.earned_sats), row.is_cut ? el("small", {}, " or more") : null) },
      { title: "Expected", figures: true, cell: (row) => (row.expected_sats === null ? "–" : money(row.expected_sats)) },
      { title: "Spread", figures: true, cell: (row) => (row.spread_sats === null ? "–" : el("span", {}, "± ", money(row.spread_sats))) },
      { title: "Earned of expected", figures: true, cell: (row) => (row.expected_sats !== null && Number(row.expected_sats) > 0 ? format.percent(Number(row.earned_sats) / Number(row.expected_sats), 0) : "–") },
      { title: "Blocks", figures: true, wide: true, cell: (row) => figure(row.blocks, format.count(row.blocks)), hint: "Blocks that the pool found" },
      { title: "Expected blocks", figures: true, wide: true, cell: (row) => (row.expected_blocks === null ? "–" : figure(row.expected_blocks, format.significant(row.expected_blocks))), hint: "Blocks to be expected of the pool's work" },
    ],
  });
  const credits = new PagedTable(
    {
      caption: "Credits",
      rowId: (row) => `${row.round_id}-${row.kind}-${row.block ?? ""}`,
      empty: "No credit yet. A round that pays this miner is listed here.",
      columns: [
        { title: "Round", figures: true, by: (row) => row.round_id, cell: (row) => round(row.round_id) },
        { title: "Closed", by: (row) => row.closed_at, cell: (row) => time(row.closed_at) },
        { title: "Work", figures: true, by: (row) => Number(row.units), cell: (row) => figure(row.units, format.significant(Number(row.units), 5), `${row.units} units; one unit is the work of a block`) },
        { title: "Amount", figures: true, by: (row) => row.amount_sats, cell: (row) => money(row.amount_sats) },
        { title: "Entry", wide: true, by: (row) => row.kind, cell: (row) => state(CREDIT_KINDS[row.kind]?.word ?? row.kind, CREDIT_KINDS[row.kind]?.tone ?? "plain") },
        { title: "Block", wide: true, cell: (row) => (row.block ? block(row.block) : el("span", { class: "quiet" }, "several")) },
        { title: "Step by step", cell: (row) => link(`${base}/rounds/${part(row.round_id)}`, "Why this amount") },
      ],
    },
    `${path}/credits`,
    "credits",
    { limit: 10, id: (row) => `${row.round_id}-${row.kind}-${row.block ?? ""}` },
  );
  const payouts = new PagedTable(
    {
      caption: "Payouts",
      rowId: (row) => String(row.payout_id),
      empty: "No payout yet. A balance is paid once it is payable and has reached the threshold.",
      columns: [
        { title: "Payout", figures: true, by: (row) => row.payout_id, cell: (row) => `#${row.payout_id}` },
        { title: "State", by: (row) => row.state, cell: (row) => el("span", {}, payoutState(row.state), row.note ? el("small", {}, ` ${row.note}`) : null) },
        { title: "Amount", figures: true, by: (row) => row.amount_sats, cell: (row) => money(row.amount_sats) },
        { title: "Fee", figures: true, wide: true, by: (row) => row.fee_sats, cell: (row) => money(row.fee_sats), hint: "Of the network, as far as the miner bears it" },
        { title: "Transaction", cell: (row) => (row.batch ? el("span", { class: row.reference ? "mono" : "quiet" }, row.reference ?? "not sent yet") : payout(row.txid, isWatched ? base : "")) },
        { title: "Depth", figures: true, by: (row) => row.confirmations, cell: (row) => figure(row.confirmations, format.count(row.confirmations)) },
        { title: "Set aside", wide: true, by: (row) => row.reserved_at, cell: (row) => time(row.reserved_at) },
        { title: "Sent", wide: true, by: (row) => row.sent_at, cell: (row) => time(row.sent_at) },
      ],
    },
    `${path}/payouts`,
    "payouts",
    { limit: 10, id: (row) => String(row.payout_id) },
  );

  const watchedNote = () => (isWatched ? el("p", { class: "note" }, "You see this miner by a link that its owner handed out, and can take back.") : null);

  /** @param {any} miner */
  function show(miner) {
    setTitle(`Miner ${format.shortened(id)}`);
    if (miner.results) {
      showEvaluated(miner);
      return;
    }
    if (!history.element.isConnected) {
      grid.append(history.element, workersCard.element, nextCard.element, balancesCard.element, windowCard.element, sharesCard.element, earningsCard.element, creditsCard.element, payoutsCard.element);
    }
    const hidden = new Set(miner.hidden ?? []);
    const last = newestShare(miner.workers ?? []);
    replace(notes, [
      hidden.size > 0 ? el("p", { class: "note", id: "hidden" }, `Some of this is for the miner itself and the operator: ${hiddenWords(hidden)}. Its owner can hand out a link that shows it: `, el("code", {}, "dwarves watch create --hotkey FILE"), ".") : null,
      watchedNote(),
      miner.payout_address === null && !hidden.has("payout_address") ? el("p", { class: "note wait" }, WAITS["no_address"] ?? "") : null,
    ]);
    replace(tiles, [
      ...hashrateTiles(miner),
      ...(miner.workers ? [tile("Last share", last ? time(last, { ago: true }) : "none yet", `${format.count(miner.workers.filter((/** @type {any} */ one) => isActive(one.last_share_at)).length)} of ${format.count(miner.workers.length)} workers active`)] : []),
      ...(miner.balance_sats ? [tile("Payable", money(miner.balance_sats.payable))] : []),
    ]);
    const names = (miner.workers ?? []).map((/** @type {any} */ one) => one.name);
    if (names.join("/") !== [...ofWorker.options].slice(1).map((one) => one.value).join("/")) {
      const { value } = ofWorker;
      ofWorker.replaceChildren(el("option", { value: "" }, "all workers"), ...names.map((/** @type {string} */ one) => el("option", { value: one }, one)));
      ofWorker.value = names.includes(value) ? value : "";
    }
    chartChoice.hidden = names.length < 2;
    if (miner.workers) workersCard.show(workers.show(miner.workers));
    else workersCard.show(hiddenNote("worker names"));
    sharesCard.show(verdicts(miner.shares, true));
    showMoney(miner);
    showWindow(miner);
  }

  /** Of evaluated work there is no hashrate, no share and no window. @param {any} miner */
  function showEvaluated(miner) {
    if (!results.card.element.isConnected) grid.append(results.card.element, balancesCard.element, creditsCard.element, payoutsCard.element);
    const hidden = new Set(miner.hidden ?? []);
    replace(notes, [
      hidden.size > 0 ? el("p", { class: "note", id: "hidden" }, `Some of this is for the miner itself and the operator: ${hiddenWords(hidden)}.`) : null,
      watchedNote(),
    ]);
    replace(tiles, [...results.tiles(miner.results), ...(miner.balance_sats ? [tile("Owed", money(miner.balance_sats.payable))] : [])]);
    balancesCard.show(miner.balance_sats ? balanceFacts(miner.balance_sats) : hiddenNote("balances"));
  }

  /** @param {any} miner */
  function showMoney(miner) {
    if (!miner.balance_sats) {
      balancesCard.show(hiddenNote("balances"));
      nextCard.show(hiddenNote("what is due"));
      return;
    }
    const { immature, payable, in_flight: inFlight, paid } = miner.balance_sats;
    const earned = [immature, payable, inFlight, paid].reduce((sum, sats) => sum + BigInt(sats), 0n);
    balancesCard.show(
      facts([
        [hinted("Immature", "Credited for blocks that are not deep enough to be spent"), money(immature)],
        [hinted("Payable", "Waiting to be paid out"), money(payable)],
        [hinted("In flight", "In a payout that is under way"), money(inFlight)],
        [hinted("Paid", "Paid and deep on the chain"), money(paid)],
        ["Earned in all", money(earned)],
        ["Paid to", miner.payout_address ? el("span", { class: "mono" }, miner.payout_address) : "no address yet"],
      ]),
    );
    const next = miner.next_payout;
    const threshold = next?.threshold_sats ?? miner.payout_threshold_sats;
    const held = miner.payout_held;
    const reached = threshold ? Number(payable) / Number(threshold) : null;
    nextCard.show(
      reached === null ? null : progress(reached, "Payable, of the threshold"),
      facts([
        ["Payable", money(payable)],
        threshold === undefined || threshold === null ? null : ["Paid from", money(threshold)],
        next?.per_day_sats === undefined || next.per_day_sats === null ? null : ["Grows by", el("span", {}, money(next.per_day_sats), " a day or so")],
        next ? ["Due", due(next, reached)] : null,
      ]),
      held ? el("p", { class: "note wait" }, el("strong", {}, money(held.amount_sats)), ` waits: ${WAITS[held.reason] ?? held.detail}`) : null,
    );
  }

  /** @param {any} miner */
  function showWindow(miner) {
    const { performance, window } = miner;
    if (!performance && !window) {
      windowCard.show(hiddenNote("its place in the window"));
      return;
    }
    const units = window?.units ?? performance.units;
    const of = window?.of_units ?? performance.window_units;
    const share = window?.share ?? (Number(of) > 0 ? Number(units) / Number(of) : 0);
    const record = miner.blocks;
    windowCard.show(
      progress(share, "Its part of the window"),
      facts([
        [hinted("Its work in the window", "One unit is the work of a block"), figure(units, `${format.significant(Number(units), 5)} of ${format.significant(Number(of), 5)} units`, `${units} of ${of}`)],
        ["A block now would bring it", el("span", {}, figure(share, `${format.percent(share, 2)} of the reward`), reckoned(share, lastReward))],
        window?.leaves_at ? ["In the window until about", time(window.leaves_at)] : null,
        record ? ["Blocks found", el("span", {}, figure(record.found, format.count(record.found)), el("span", { class: "quiet" }, ` of ${format.significant(record.expected)} to be expected`))] : null,
        miner.registered_at ? ["Registered", time(miner.registered_at)] : null,
      ]),
    );
  }

  async function refreshCredits() {
    await credits.refresh();
    if (!credits.element.isConnected) creditsCard.show(credits.element);
  }

  /** @type {string | undefined} */
  let hotkey;
  /** What the last block was worth. @type {number | null} */
  let lastReward = null;

  void begin({
    topics: ["block", "round", "payout"],
    // Where a miner's payouts are its own business, a stream about it tells none: then all of them are heard of.
    miner: () => (poolNow()?.privacy?.balances === "owner" ? undefined : hotkey),
    refresh: async () => {
      let miner;
      try {
        await check();
        const [told, { blocks }] = await Promise.all([ask(path), ask("/v1/blocks?limit=1")]);
        miner = told;
        lastReward = blocks[0]?.reward_sats ?? null;
      } catch (error) {
        const refusal = /** @type {import("./api.js").Refusal} */ (error);
        if (refusal.status === 0) throw error;
        grid.replaceChildren();
        replace(notes, []);
        const help = refusal.code === "miner_unknown" ? [el("p", {}, "A miner is here from its first share on. It is named by its hotkey, or by the payout address with which it logs in."), el("p", {}, link("/#connect", "How to connect"))] : [];
        replace(tiles, []);
        grid.append(el("div", { class: "card wide" }, trouble(error, "this miner"), ...help));
        return;
      }
      ({ hotkey } = miner);
      show(miner);
      const refreshPayouts = () =>
        fill(payoutsCard, "its payouts", async () => {
          await payouts.refresh();
          if (!payouts.element.isConnected) payoutsCard.show(payouts.element);
        });
      if (miner.results) {
        await Promise.all([fill(results.card, "its submissions", results.refresh), fill(creditsCard, "its credits", refreshCredits), refreshPayouts()]);
        return;
      }
      await Promise.all([
        fill(history, "its hashrate over time", async () => {
          await chart.refresh();
          if (!chart.element.isConnected) history.show(chartChoice, chart.element);
        }),
        fill(earningsCard, "what was to be expected", async () => earningsCard.show(earnings.show((await ask(`${path}/earnings`)).periods))),
        fill(creditsCard, "its credits", refreshCredits),
        refreshPayouts(),
      ]);
    },
  });
}

/** Shows a part, or that it is not told. @param {Section} section @param {string} what @param {() => Promise<unknown>} read */
export async function fill(section, what, read) {
  try {
    await read();
  } catch (error) {
    if (/** @type {{status?: number}} */ (error).status === 0) throw error;
    section.refuse(error, what);
  }
}

/** What is hidden, in words. @param {Set<string>} hidden */
function hiddenWords(hidden) {
  const words = [hidden.has("balance_sats") ? "what it is owed and paid" : "", hidden.has("workers") ? "its workers" : ""];
  return words.filter((word) => word !== "").join(", and ");
}

/** @param {string} what */
const hiddenNote = (what) => el("p", { class: "empty" }, `Only the owner and the operator see ${what}.`);

/** @param {string} text @param {string} hint */
const hinted = (text, hint) => el("span", { title: hint }, text);

/** @param {any[]} workers */
const newestShare = (workers) => workers.map((worker) => worker.last_share_at).filter((at) => at !== null).sort().at(-1) ?? null;

/** @param {string | null} at */
const isActive = (at) => at !== null && Date.now() - Date.parse(at) < QUIET_SECS * 1000;

/** @param {string | null} at */
export function lastShare(at) {
  if (at === null) return el("span", { class: "quiet" }, "none yet");
  return el("span", {}, time(at, { ago: true }), isActive(at) ? null : [" ", state("quiet", "wait", "No share for ten minutes")].map((one) => (typeof one === "string" ? document.createTextNode(one) : one))[1]);
}

/** @param {any} worker */
const refusedOf = (worker) => Object.values(worker.rejected).reduce((sum, n) => sum + Number(n), 0);

/** @param {any} worker */
function refusedShare(worker) {
  const refused = refusedOf(worker);
  const all = refused + worker.shares;
  return el("span", {}, figure(refused, format.count(refused)), el("small", {}, ` ${format.percent(all === 0 ? 0 : refused / all, 1)}`));
}

/** What a part of a reward like the last comes to, less the pool's fee. @param {number} share @param {number | null} reward */
function reckoned(share, reward) {
  const pool = poolNow();
  if (reward === null || !["pplns", "proportional"].includes(pool?.scheme)) return null;
  const sats = Number(reward) * (1 - pool.fee_bps / 10_000) * share;
  return el("span", { class: "quiet", title: "If it is worth as much as the last one, less the pool's fee" }, `, about ${format.significant(format.inCoins(sats), 4)} ${format.coinName()}`);
}

/** @param {any} next @param {number | null} reached */
function due(next, reached) {
  if (next.due_at) return time(next.due_at, { ago: true, isDue: true });
  if (reached !== null && reached >= 1) return "with the next payout";
  return el("span", { class: "quiet" }, "not to be told yet");
}
