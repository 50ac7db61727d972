// Reads and writes the pool's API.

/** What the API refused, in its own words. */
export class Refusal extends Error {
  /**
   * @param {number} status The HTTP status; 0 if there was no answer at all.
   * @param {string} code The stable code, such as `miner_unknown`.
   * @param {string} detail What is wrong, in words.
   */
  constructor(status, code, detail) {
    super(detail);
    this.name = "Refusal";
    this.status = status;
    this.code = code;
  }

  /** Whether only the owner may see it. */
  get isHidden() {
    return this.code === "hidden";
  }
}

/** @typedef {{credential?: string | null, method?: string, body?: unknown, headers?: Record<string, string>, signal?: AbortSignal}} AskOptions */

/** What every question carries, as the `Authorization` header has it: a watcher's token. @type {string | null} */
let credential = null;

/** Lets all questions of this page carry a watcher's token. @param {string} token */
export function askAsWatcher(token) {
  credential = `Watch ${token}`;
}

/** Whole numbers beyond what a double holds come as BigInt: money stays exact.
 * @param {string} text */
export function parse(text) {
  // @ts-expect-error: the third parameter (the number as it was written) is newer than the library's types.
  return JSON.parse(text, (_key, value, context) => {
    const isTooLarge = typeof value === "number" && Number.isInteger(value) && !Number.isSafeInteger(value);
    const source = isTooLarge ? context?.source : undefined;
    return source !== undefined && /^-?\d+$/.test(source) ? BigInt(source) : value;
  });
}

/**
 * Asks the API and gives its answer.
 * @param {string} path
 * @param {AskOptions} [options]
 * @returns {Promise<any>}
 */
export async function ask(path, options = {}) {
  /** @type {Record<string, string>} */
  const headers = { accept: "application/json", ...options.headers };
  if (credential !== null) headers.authorization = credential;
  if (options.body !== undefined) headers["content-type"] = "application/json";
  /** @type {RequestInit} */
  const request = { method: options.method ?? "GET", headers, cache: "no-store", credentials: "same-origin" };
  if (options.body !== undefined) request.body = JSON.stringify(options.body);
  if (options.signal !== undefined) request.signal = options.signal;
  let response;
  let text;
  try {
    response = await fetch(path, request);
    text = await response.text();
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new Refusal(0, "unreachable", "The pool does not answer.");
  }
  let answer;
  try {
    answer = text === "" ? null : parse(text);
  } catch {
    throw new Refusal(response.status, "unreadable", `The pool's answer cannot be read (status ${response.status}).`);
  }
  if (!response.ok) {
    throw new Refusal(response.status, answer?.code ?? "unknown", answer?.detail ?? `Status ${response.status}.`);
  }
  return answer;
}

/** A part of a path, escaped. @param {string | number | bigint} part */
export const part = (part) => encodeURIComponent(String(part));

/** The parts of this page's own path, unescaped; a part that cannot be unescaped stays as it is. */
export function pathParts() {
  return location.pathname
    .split("/")
    .filter((piece) => piece !== "")
    .map((piece) => {
      try {
        return decodeURIComponent(piece);
      } catch {
        return piece;
      }
    });
}
