// Numbers, money and times as people read them.

const LANGUAGE = "en";
const PREFIXES = ["", "k", "M", "G", "T", "P", "E", "Z", "Y"];
const counts = new Intl.NumberFormat(LANGUAGE, { maximumFractionDigits: 0 });

/** A whole number with its thousands set apart. @param {number | bigint} value */
export const count = (value) => counts.format(value);

/** A number with so many significant digits, in powers of ten only if nobody would count its zeros.
 * @param {number} value @param {number} [digits] */
export function significant(value, digits = 3) {
  if (!Number.isFinite(value)) return "–";
  if (value === 0) return "0";
  if (Math.abs(value) < 1e-12) return value.toExponential(digits - 1).replace("e", " × 10^").replace("^-", "^−");
  return new Intl.NumberFormat(LANGUAGE, { maximumSignificantDigits: digits }).format(value);
}

/**
 * A number with the prefix that fits: 1,234,000 is `1.23 M`.
 * @param {number} value @param {string} unit @param {number} [digits]
 */
export function scaled(value, unit, digits = 3) {
  if (!Number.isFinite(value)) return "–";
  let step = 0;
  let rest = value;
  // Rounded first, so that 999.9 k is 1.00 M.
  while (Math.abs(Number(rest.toPrecision(digits))) >= 1000 && step < PREFIXES.length - 1) {
    rest /= 1000;
    step += 1;
  }
  const whole = Math.floor(Math.abs(rest)).toString().length;
  const text = step === 0 && Number.isInteger(rest) ? rest.toString() : rest.toFixed(Math.max(0, digits - whole));
  return `${text} ${PREFIXES[step]}${unit}`;
}

/** @param {number} value Hashes per second. */
export const hashrate = (value) => scaled(value, "H/s");

/** @param {number} value */
export function difficulty(value) {
  return value >= 1000 ? scaled(value, "").trimEnd() : significant(value, 4);
}

/** What a share of this difficulty takes on average, in words. @param {number} difficulty */
export function hashesOf(difficulty) {
  const hashes = difficulty * 2 ** 32;
  return hashes < 1.5 ? "every hash" : `one in ${hashes < 1000 ? count(Math.round(hashes)) : scaled(hashes, "").trimEnd()} hashes`;
}

/** A share of one, in percent. @param {number} value @param {number} [decimals] */
export function percent(value, decimals = 1) {
  if (!Number.isFinite(value)) return "–";
  return `${(value * 100).toFixed(decimals)} %`;
}

/** Coins of each chain, and how they are called. @type {Record<string, string>} */
const TICKERS = {
  bitcoin: "BTC",
  litecoin: "LTC",
  testnet: "tBTC",
  testnet4: "tBTC",
  signet: "sBTC",
  regtest: "rBTC",
  devnet: "coins",
  "litecoin-testnet": "tLTC",
  "litecoin-regtest": "rLTC",
};

let ticker = "coins";
let places = 8;

/** Names the chain whose coins are shown from now on. @param {string} chain */
export function useChain(chain) {
  ticker = TICKERS[chain] ?? TICKERS[chain.replaceAll("_", "-")] ?? "coins";
}

/** Names the unit that amounts are shown in from now on, where the pool has one of its own. @param {string} unit @param {number} decimals */
export function useUnit(unit, decimals) {
  ticker = unit;
  places = decimals;
}

/** Amounts in whole units, as a number for estimates. @param {number} sats */
export const inCoins = (sats) => sats / 10 ** places;

/** What a coin is called on this pool's chain. */
export const coinName = () => ticker;

/**
 * Sats as coins, exactly: `12.34567800`.
 * @param {number | bigint | string} sats
 */
export function coins(sats) {
  const whole = BigInt(sats);
  const digits = (whole < 0n ? -whole : whole).toString().padStart(places + 1, "0");
  const sign = whole < 0n ? "−" : "";
  const end = digits.length - places;
  const coin = `${sign}${count(BigInt(digits.slice(0, end)))}`;
  return places === 0 ? coin : `${coin}.${digits.slice(end)}`;
}

/** Seconds as people say them: `3 min 20 s`, `2 d 4 h`. @param {number} secs */
export function duration(secs) {
  const all = Math.max(0, Math.round(secs));
  if (all < 60) return `${all} s`;
  if (all < 3600) return all % 60 === 0 ? `${all / 60} min` : `${Math.floor(all / 60)} min ${all % 60} s`;
  const minutes = Math.round(all / 60);
  if (minutes < 1440) {
    return minutes % 60 === 0 ? `${minutes / 60} h` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
  }
  const hours = Math.round(all / 3600);
  if (hours < 24 * 365) return hours % 24 === 0 ? `${hours / 24} d` : `${Math.floor(hours / 24)} d ${hours % 24} h`;
  return `${significant(hours / 24 / 365.25)} years`;
}

/** How often something comes that comes every so many seconds on average. @param {number} secs */
export const often = (secs) => (secs < 1 ? `${significant(1 / secs, 2)} a second` : `every ${duration(secs)} or so`);

/** @param {number} value */
const two = (value) => String(value).padStart(2, "0");

/** This browser's local time, in the order that sorts. @param {Date} date */
export function localTime(date) {
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

/** The same in UTC. @param {Date} date */
export const utcTime = (date) => `${date.toISOString().slice(0, 19).replace("T", " ")} UTC`;

/** How long ago, or in how long. @param {Date} date @param {Date} [now] */
export function relative(date, now = new Date()) {
  const secs = (now.getTime() - date.getTime()) / 1000;
  if (Math.abs(secs) < 1) return "now";
  return secs >= 0 ? `${duration(secs)} ago` : `in ${duration(-secs)}`;
}

/** A long name by its beginning and end. @param {string} text @param {number} [head] @param {number} [tail] */
export function shortened(text, head = 8, tail = 6) {
  return text.length > head + tail + 1 ? `${text.slice(0, head)}…${text.slice(-tail)}` : text;
}
