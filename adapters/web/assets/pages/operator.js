// The operator's page: how every part is, what hinders it, and the orders that an operator gives.

import { ask } from "../api.js";
import { append, el, main, replace, trouble } from "../dom.js";
import { grid, isLoggedIn, isLoggedOut, notes, refreshBy, resumeWith, showLogin } from "../operator/desk.js";
import { frontsCard, showFrontsOf, standbyCard } from "../operator/fronts.js";
import { auditCard, bansCard, ordersCard, showAudit, showBans, showOrders } from "../operator/orders.js";
import { payoutsCard, showPayoutsOf } from "../operator/payouts.js";
import { actorsCard, booksCard, commitCard, hindrancesCard, nodesCard, showBooks, showCommit, showHindrances, showParts, showState, stateCard } from "../operator/standing.js";
import { begin } from "../shell.js";

main("Operator").append(grid, notes);

const sections = [stateCard, hindrancesCard, frontsCard, booksCard, commitCard, standbyCard, payoutsCard, ordersCard, nodesCard, actorsCard, bansCard, auditCard];

async function refresh() {
  if (!isLoggedIn()) return;
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
  showFrontsOf(told);
  showBooks(told.books);
  showCommit(told.commit);
  await showPayoutsOf(told);
  showOrders(told.settings);
  showParts(told);
  showBans(told);
  await showAudit();
}

refreshBy(refresh);

/** Whether this browser is logged in already. */
async function resume() {
  try {
    const session = await ask("/v1/admin/session");
    resumeWith(session.csrf ?? null);
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
