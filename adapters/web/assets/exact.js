// Exact arithmetic over the API's decimal numbers: what a page recomputes must come out to the last sat.

/** A decimal number as a whole number over a power of ten. @typedef {{digits: bigint, scale: number}} Decimal */

/** Reads `0.0625` exactly. @param {string | number | bigint} text @returns {Decimal} */
export function decimal(text) {
  const match = /^(-?)(\d+)(?:\.(\d+))?$/.exec(String(text).trim());
  if (!match) throw new Error(`not a decimal number: ${text}`);
  const [, sign, whole = "0", rest = ""] = match;
  const digits = BigInt(whole + rest);
  return { digits: sign === "-" ? -digits : digits, scale: rest.length };
}

/** Two decimals as whole numbers of the same size. @param {Decimal} one @param {Decimal} other @returns {[bigint, bigint]} */
export function aligned(one, other) {
  const scale = Math.max(one.scale, other.scale);
  const at = (/** @type {Decimal} */ value) => value.digits * 10n ** BigInt(scale - value.scale);
  return [at(one), at(other)];
}

/**
 * An amount's part by weight, rounded down, and what is left of it: amount × weight ÷ total.
 * @param {bigint} amount @param {Decimal} weight @param {Decimal} total
 * @returns {{whole: bigint, remainder: bigint, divisor: bigint}}
 */
export function partOf(amount, weight, total) {
  const [a, b] = aligned(weight, total);
  if (b <= 0n) throw new Error("there is no work to split by");
  return { whole: (amount * a) / b, remainder: (amount * a) % b, divisor: b };
}

/** The operator's part: reward × bps ÷ 10,000, rounded down. @param {bigint} reward @param {number} bps */
export const feeOf = (reward, bps) => (reward * BigInt(bps)) / 10_000n;

/** Sums decimals. @param {string[]} texts @returns {Decimal} */
export function sum(texts) {
  return texts.map(decimal).reduce(
    (all, one) => {
      const [a, b] = aligned(all, one);
      return { digits: a + b, scale: Math.max(all.scale, one.scale) };
    },
    { digits: 0n, scale: 0 },
  );
}

/** A decimal as text. @param {Decimal} value */
export function text(value) {
  const sign = value.digits < 0n ? "-" : "";
  const digits = (value.digits < 0n ? -value.digits : value.digits).toString().padStart(value.scale + 1, "0");
  if (value.scale === 0) return sign + digits;
  const rest = digits.slice(-value.scale).replace(/0+$/, "");
  return sign + digits.slice(0, -value.scale) + (rest === "" ? "" : `.${rest}`);
}

/** An exact fraction, its divisor above zero. @typedef {{over: bigint, under: bigint}} Fraction */

/** @param {bigint} over @param {bigint} under @returns {Fraction} */
function fraction(over, under) {
  if (under === 0n) throw new Error("divides by zero");
  return under < 0n ? { over: -over, under: -under } : { over, under };
}

/** @param {Fraction} one @param {Fraction} other */
const less = (one, other) => one.over * other.under < other.over * one.under;

/** @param {Fraction} one */
function floor({ over, under }) {
  const whole = over / under;
  return fraction(over % under !== 0n && over < 0n ? whole - 1n : whole, 1n);
}

/** @type {Record<string, (...values: Fraction[]) => Fraction>} */
const FUNCTIONS = {
  floor: (one = fraction(0n, 1n)) => floor(one),
  min: (...all) => all.reduce((best, one) => (less(one, best) ? one : best)),
  max: (...all) => all.reduce((best, one) => (less(best, one) ? one : best)),
};

/** Reads a number exactly as a fraction. @param {string | number | bigint} text */
export function exactly(text) {
  const { digits, scale } = decimal(text);
  return fraction(digits, 10n ** BigInt(scale));
}

/** @param {Fraction} one @param {Fraction} other */
export const areEqual = (one, other) => one.over * other.under === other.over * one.under;

/** A fraction as a decimal, cut after so many places. @param {Fraction} value @param {number} [places] */
export function shown({ over, under }, places = 40) {
  const isBelow = over < 0n;
  const size = isBelow ? -over : over;
  const whole = size / under;
  const rest = size % under;
  if (rest === 0n) return `${isBelow ? "-" : ""}${whole}`;
  const digits = ((rest * 10n ** BigInt(places)) / under).toString().padStart(places, "0");
  const isExact = (rest * 10n ** BigInt(places)) % under === 0n;
  return `${isBelow ? "-" : ""}${whole}.${isExact ? digits.replace(/0+$/, "") : `${digits}…`}`;
}

/**
 * Evaluates an expression of numbers, names, `+ - * / ( )`, `floor`, `min` and `max`, exactly. Nothing else is understood.
 * @param {string} formula @param {Record<string, Fraction>} names
 * @returns {Fraction}
 */
export function evaluate(formula, names) {
  const tokens = formula.match(/\d+(?:\.\d+)?|[a-z_][a-z_0-9]*|[-+*/(),×÷]|\S/gi) ?? [];
  let at = 0;
  const next = () => tokens[at];
  const expect = (/** @type {string} */ token) => {
    if (tokens[at] !== token) throw new Error(`expected ${token}, not ${tokens[at] ?? "the end"}`);
    at += 1;
  };
  /** @returns {Fraction} */
  const sums = () => {
    let value = products();
    for (;;) {
      const sign = next();
      if (sign !== "+" && sign !== "-") return value;
      at += 1;
      const other = products();
      const added = sign === "+" ? other.over : -other.over;
      value = fraction(value.over * other.under + added * value.under, value.under * other.under);
    }
  };
  /** @returns {Fraction} */
  const products = () => {
    let value = one();
    for (;;) {
      const sign = next();
      const isTimes = sign === "*" || sign === "×";
      if (!isTimes && sign !== "/" && sign !== "÷") return value;
      at += 1;
      const other = one();
      value = isTimes ? fraction(value.over * other.over, value.under * other.under) : fraction(value.over * other.under, value.under * other.over);
    }
  };
  /** @returns {Fraction} */
  const one = () => {
    const token = next();
    at += 1;
    if (token === undefined) throw new Error("the formula ends too early");
    if (token === "-") {
      const value = one();
      return fraction(-value.over, value.under);
    }
    if (token === "(") {
      const value = sums();
      expect(")");
      return value;
    }
    if (/^\d/.test(token)) return exactly(token);
    const called = Object.hasOwn(FUNCTIONS, token) ? FUNCTIONS[token] : undefined;
    if (called && next() === "(") {
      at += 1;
      const values = [sums()];
      while (next() === ",") {
        at += 1;
        values.push(sums());
      }
      expect(")");
      return called(...values);
    }
    const value = Object.hasOwn(names, token) ? names[token] : undefined;
    if (value === undefined) throw new Error(`${token} is not known`);
    return value;
  };
  const value = sums();
  if (at !== tokens.length) throw new Error(`${tokens[at]} is not understood`);
  return value;
}
