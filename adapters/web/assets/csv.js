// Links to lists as CSV.

import { el } from "./dom.js";

/** A link to the same list as CSV. @param {string} path */
export function csvLink(path) {
  const href = `${path}${path.includes("?") ? "&" : "?"}format=csv`;
  return el("a", { href, class: "csv", download: "" }, "CSV");
}
