// Exact arithmetic: what a page recomputes.

import assert from "node:assert/strict";
import { test } from "node:test";

import { areEqual, decimal, evaluate, exactly, feeOf, partOf, shown, sum, text } from "../assets/exact.js";

test("the example of docs/rewards.md comes out to the last sat", () => {
  const rest = 5_000_000_000n - feeOf(5_000_000_000n, 100);
  const total = sum(["1.15", "0.85"]);
  assert.equal(partOf(rest, decimal("1.15"), total).whole, 2_846_250_000n);
  assert.equal(partOf(rest, decimal("0.85"), total).whole, 2_103_750_000n);
});

test("decimals keep every digit", () => {
  const long = "0.30065491682167286691467658705";
  assert.equal(text(decimal(long)), long);
  assert.equal(text(sum([long, "0.1718028096123844953798151926"])), "0.47245772643405736229449177965");
  assert.equal(text(sum(["-1.5", "1.5"])), "0");
  for (const bad of ["", "1e5", "1.", ".5", "0x1", "1,5", "NaN"]) assert.throws(() => decimal(bad), bad);
});

test("a part and its remainder are the whole", () => {
  const { whole, remainder, divisor } = partOf(100n, decimal("0.1"), decimal("0.3"));
  assert.deepEqual([whole, remainder, divisor], [33n, 1n, 3n]);
  assert.equal(whole * divisor + remainder, 100n);
  assert.throws(() => partOf(1n, decimal("1"), decimal("0")));
});

test("formulas are evaluated exactly", () => {
  const names = { a: exactly("0.1"), b: exactly("3"), left: exactly("1"), place: exactly("2") };
  for (const [formula, value] of /** @type {[string, string][]} */ ([
    ["1 + 2 * 3", "7"],
    ["(1 + 2) * 3", "9"],
    ["10 - 3 - 2", "5"],
    ["floor(10 / b)", "3"],
    ["floor(-1 / 2)", "-1"],
    ["a * b - 0.3", "0"],
    ["10 / b * b", "10"],
    ["min(1, max(0, left + 1 - place))", "0"],
    ["min(3, 2, 5)", "2"],
    ["-a * -10", "1"],
  ])) {
    assert.ok(areEqual(evaluate(formula, names), exactly(value)), formula);
  }
});

test("what is no formula is refused, and nothing of JavaScript can be reached", () => {
  const formulas = ["", "1 +", "(1", "1)", "1 2", "c", "1 / 0", "floor(1", "constructor", "toString", "__proto__", "a.b", "a[0]", "alert(1)", "1 ** 2", "floor"];
  for (const formula of formulas) assert.throws(() => evaluate(formula, { a: exactly(1) }), undefined, formula);
});

test("fractions are shown as decimals, and say when they go on", () => {
  assert.equal(shown(evaluate("1 / 4", {})), "0.25");
  assert.equal(shown(evaluate("0 - 1 / 4", {})), "-0.25");
  assert.equal(shown(evaluate("1 / 3", {}), 5), "0.33333…");
  assert.equal(shown(exactly("12345678901234567890")), "12345678901234567890");
});
