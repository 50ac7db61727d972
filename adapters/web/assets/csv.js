// Rows of the API as CSV (RFC 4180), for spreadsheets: amounts in sats, times as the API has them.

/** How many rows a file has at most: as many as a hundred questions bring. */
export const ROWS_MAX = 10_000;

/** A row's fields, those of objects inside it by `outer.inner`. @param {Record<string, unknown>} row @param {string} [prefix]
 * @returns {[string, string][]} */
function fields(row, prefix = "") {
  return Object.entries(row).flatMap(([key, value]) => {
    if (value !== null && typeof value === "object" && !Array.isArray(value)) return fields(/** @type {Record<string, unknown>} */ (value), `${prefix}${key}.`);
    return [/** @type {[string, string]} */ ([`${prefix}${key}`, cell(value)])];
  });
}

/** @param {unknown} value */
function cell(value) {
  if (value === null || value === undefined) return "";
  if (Array.isArray(value)) return quoted(value.map((one) => (typeof one === "object" ? JSON.stringify(one) : String(one))).join(" "));
  return typeof value === "string" ? quoted(value) : String(value);
}

/** A text that no spreadsheet takes for a formula; numbers that the API writes as texts stay numbers. @param {string} text */
function quoted(text) {
  const isNumber = /^-?\d+(\.\d+)?$/.test(text);
  const safe = !isNumber && /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/** @param {Record<string, unknown>[]} rows */
export function toCsv(rows) {
  const flat = rows.map((row) => new Map(fields(row)));
  const names = [...new Set(flat.flatMap((row) => [...row.keys()]))];
  const lines = [names.map(quoted), ...flat.map((row) => names.map((name) => row.get(name) ?? ""))];
  return lines.map((line) => `${line.join(",")}\r\n`).join("");
}
