// Why a miner got this amount: each step recomputed here, exactly, from the API's numbers.

import { ask, part, pathParts } from "../api.js";
import { Section, el, facts, link, main, money, name, replace, time, trouble } from "../dom.js";
import * as format from "../format.js";
import { areEqual, decimal, evaluate, exactly, feeOf, partOf, shown, sum } from "../exact.js";
import { block, round as roundLink } from "../figures.js";
import { begin } from "../shell.js";
import { showNamed } from "../watched.js";
import { schemeWords } from "../words.js";

const verdict = new Section("The amount", { wide: true });
const way = new Section("Step by step", { wide: true, note: "Computed in this page, in whole numbers of any size, from what the API tells. Nothing is rounded unless the step says so." });
const grid = el("div", { class: "grid" }, verdict.element, way.element);

/** One step, as it is shown. @typedef {{name: string, formula: string, filled: string, result: string, isEqual: boolean | null, words?: string}} Step */

/** A name as words: `miner_units` is `miner units`. @param {string} name */
const spoken = (name) => name.replaceAll("_", " ");

/** Recomputes the steps that the API tells. @param {any} told @returns {Step[]} */
function recompute(told) {
  /** @type {Record<string, import("../exact.js").Fraction>} */
  const known = {};
  return told.steps.map((/** @type {any} */ step) => {
    const names = { ...known };
    for (const [name, value] of Object.entries(step.values ?? {})) names[name] = exactly(/** @type {string} */ (value));
    const filled = step.formula.replace(/[a-z_][a-z_0-9]*/gi, (/** @type {string} */ name) => (Object.hasOwn(names, name) ? shown(/** @type {import("../exact.js").Fraction} */ (names[name])) : name));
    const base = { name: step.name, formula: step.formula, filled, words: step.text ?? step.detail };
    try {
      const value = evaluate(step.formula, names);
      known[step.name] = value;
      return { ...base, result: shown(value), isEqual: areEqual(value, exactly(step.result)) };
    } catch (error) {
      known[step.name] = exactly(step.result);
      return { ...base, result: String(step.result), isEqual: null, words: `This page cannot recompute it: ${/** @type {Error} */ (error).message}.` };
    }
  });
}

/** Ranks all miners' remainders again, as far as the API tells everybody's work: whether the miner's place is what it says, and
 * how many sats were left. @param {any} told @param {any} split */
function isPlaceRight(told, split) {
  if (!split.work) return true;
  const rest = told.steps.find((/** @type {any} */ step) => step.block === split.block && step.name.startsWith("rest_sats"));
  if (!rest) return false;
  const total = sum(split.work.map((/** @type {any} */ one) => one.units));
  const amount = BigInt(rest.result);
  const parts = split.work.map((/** @type {any} */ one) => ({ hotkey: one.hotkey, ...partOf(amount, decimal(one.units), total) }));
  const left = amount - parts.reduce((/** @type {bigint} */ all, /** @type {any} */ one) => all + one.whole, 0n);
  const place = inOrder(parts).findIndex((one) => one.hotkey === told.hotkey) + 1;
  return left === BigInt(split.left_sats) && place === Number(split.position);
}

/** Largest remainders first, equal ones by hotkey. @param {{hotkey: string, remainder: bigint, whole: bigint}[]} parts */
const inOrder = (parts) => [...parts].sort((one, other) => (one.remainder === other.remainder ? (one.hotkey < other.hotkey ? -1 : 1) : one.remainder > other.remainder ? -1 : 1));

/** @param {Step[]} steps */
function show(steps) {
  way.show(
    el(
      "ol",
      { class: "work-steps" },
      steps.map((step) =>
        el(
          "li",
          {},
          el("strong", {}, spoken(step.name)),
          step.words ? el("span", { class: "quiet" }, ` ${step.words}`) : null,
          el("code", { class: "formula" }, `${step.formula}`),
          el("code", { class: "formula" }, `${step.filled} = `, el("strong", { "data-step": step.name }, step.result)),
          step.isEqual === false ? el("p", { class: "note bad", role: "alert" }, "The pool says otherwise.") : null,
        ),
      ),
    ),
  );
}

/** @param {bigint} computed @param {bigint} told @param {boolean} isEqual @param {any} round @param {import("../dom.js").Child[]} more */
function judge(computed, told, isEqual, round, ...more) {
  verdict.show(
    facts([
      ["Credited by the pool", money(told)],
      ["Computed in this page", money(computed)],
      ["Round closed", time(round.closed_at)],
      ["Blocks", round.blocks.length === 0 ? "none" : el("span", {}, round.blocks.flatMap((/** @type {string} */ hash, /** @type {number} */ index) => [index > 0 ? ", " : "", block(hash)]))],
    ]),
    isEqual
      ? el("p", { class: "note good", role: "status", id: "verdict" }, "Equal, to the last sat.")
      : el("p", { class: "note bad", role: "alert", id: "verdict" }, computed === told ? "The amount is equal, but a step on the way is not. Tell the operator." : `Not equal: they differ by ${format.count(computed - told)} sats. Tell the operator.`),
    el("p", { class: "lead" }, schemeWords(round.scheme)),
    ...more,
  );
}

/** @param {any} told */
function showTold(told) {
  const steps = recompute(told);
  show(steps);
  const last = steps.at(-1);
  const amount = BigInt(told.amount_sats);
  const fee = told.terms?.fee_bps !== undefined && told.reward_sats !== undefined && told.round.blocks.length === 1 ? feeOf(BigInt(told.reward_sats), told.terms.fee_bps) : null;
  const isFeeRight = fee === null || fee === BigInt(told.fee_sats);
  const computed = last && /^-?\d+$/.test(last.result) ? BigInt(last.result) : amount + 1n;
  const areStepsEqual = steps.every((step) => step.isEqual === true);
  const { rule, splits = [] } = told.remainder ?? {};
  const arePlacesRight = splits.every((/** @type {any} */ split) => isPlaceRight(told, split));
  judge(computed, amount, computed === amount && areStepsEqual && isFeeRight && arePlacesRight, told.round, rule ? el("p", { class: "lead" }, rule, splits.some((/** @type {any} */ split) => split.work) ? " The place among the remainders was ranked again in this page, from the work of all miners." : "") : null);
}

/** @param {import("../watched.js").Shown} shown */
function showWhy({ id, base, check }) {
  const [, , , number = ""] = pathParts();
  const page = main("Why this amount", el("span", { class: "lead" }, "Round ", roundLink(number), ", ", name(id, base)));
  page.append(grid);
  void begin({
    refresh: async () => {
      try {
        await check();
        showTold(await ask(`/v1/miners/${part(id)}/rounds/${part(number)}`));
      } catch (error) {
        if (/** @type {{status?: number}} */ (error).status === 0) throw error;
        replace(grid, [el("div", { class: "card wide" }, trouble(error, "how this amount came about"), el("p", {}, link(`/rounds/${part(number)}`, "The round"), " ", link(base, "The miner")))]);
      }
    },
  });
}

await showNamed(showWhy);
