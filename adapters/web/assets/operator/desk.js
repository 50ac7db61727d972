// What the parts of the operator's page have in common: the session, orders, and what came of them.

import { ask } from "../api.js";
import { el } from "../dom.js";

/** @typedef {import("../dom.js").Child} Child */

// What came of an order stands at the lower edge of the window, wherever on this long page it was given.
export const notes = el("div", { class: "told", "aria-live": "polite" });
export const grid = el("div", { class: "grid" });

/** What every change carries; null while nobody is logged in. @type {string | null} */
let csrf = null;

/** Shows the new state; the page says how. @type {() => Promise<void>} */
let refresh = async () => {};

/** @param {() => Promise<void>} how */
export function refreshBy(how) {
  refresh = how;
}

export const isLoggedIn = () => csrf !== null;

/** Takes up the session that this browser has, or asks for the token. @param {string | null} known */
export function resumeWith(known) {
  csrf = known;
  if (csrf === null) showLogin();
}

/** Sends an order. @param {string} actor @param {string} message @param {Record<string, unknown>} [fields] */
export function order(actor, message, fields = {}) {
  return ask("/v1/admin/control", { method: "POST", body: { actor, message, ...fields }, headers: { "x-csrf-token": csrf ?? "" } });
}

/** Says what came of something, until that is closed or the next order is given. @param {"good" | "bad"} tone @param {...Child} children */
export function say(tone, ...children) {
  const close = el("button", { type: "button", class: "small", onclick: () => notes.replaceChildren() }, "Close");
  notes.replaceChildren(el("div", { class: `note ${tone}` }, el("p", { role: tone === "bad" ? "alert" : "status" }, ...children), close));
}

/** Gives an order, says what came of it, and shows the new state. @param {string} words @param {() => Promise<any>} give */
export async function give(words, give) {
  notes.replaceChildren();
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
export const isLoggedOut = (error) => [401].includes(/** @type {{status?: number}} */ (error).status ?? 0);

/** Asks before something that cannot be taken back; without `yes` there is nothing to agree to. @param {string} title
 * @param {Child[]} body @param {string | null} yes @returns {Promise<boolean>} */
export function confirm(title, body, yes) {
  return new Promise((resolve) => {
    const agreed = el("button", { type: "button", class: "main", hidden: yes === null }, yes);
    const refused = el("button", { type: "button" }, yes === null ? "Close" : "Cancel");
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
export function showLogin(why) {
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

/** A button that gives an order; if `warning` is there, after it was confirmed. @param {string} words @param {string} actor
 * @param {string} message @param {Record<string, unknown>} [fields] @param {string} [warning] */
export function orderButton(words, actor, message, fields = {}, warning) {
  const button = el("button", { type: "button", class: warning ? "danger" : null }, words);
  button.addEventListener("click", async () => {
    if (warning && !(await confirm(`${words}?`, [el("p", {}, warning)], words))) return;
    await give(words, () => order(actor, message, fields));
  });
  return button;
}

export function logoutButton() {
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
