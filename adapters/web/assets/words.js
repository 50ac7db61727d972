// The pool's words for people: what states mean, why shares are refused, how rewards are split.

import * as format from "./format.js";

/** @typedef {"good" | "bad" | "wait" | "plain"} Tone */

/** States of a block. @type {Record<string, {tone: Tone, means: string}>} */
export const BLOCK_STATES = {
  submitted: { tone: "wait", means: "Found; the chain has not taken it yet." },
  accepted: { tone: "wait", means: "The chain has it, and the next look decides whether it is on the best chain." },
  immature: { tone: "wait", means: "On the best chain and credited, but not to be spent yet." },
  mature: { tone: "good", means: "Deep enough: its credits are payable." },
  orphaned: { tone: "bad", means: "Another block won; its credits are taken back." },
  refused: { tone: "bad", means: "The chain says that it is not a valid block." },
};

/** States of a payout. @type {Record<string, {tone: Tone, means: string}>} */
export const PAYOUT_STATES = {
  reserved: { tone: "wait", means: "Its money is set aside; nothing is signed." },
  signed: { tone: "wait", means: "Signed and stored; the network is not known to have it." },
  broadcast: { tone: "wait", means: "The network has it." },
  confirmed: { tone: "good", means: "Deep enough to count as paid." },
  returned: { tone: "bad", means: "Another transaction spent its coins; the balances are payable again." },
  cancelled: { tone: "plain", means: "Given up before it was signed or sent; the balances are payable again." },
  exported: { tone: "wait", means: "Its money is set aside in a batch that the operator sends." },
  paid: { tone: "good", means: "The operator sent it." },
};

/** Entries of a miner's credits. @type {Record<string, {word: string, tone: Tone}>} */
export const CREDIT_KINDS = {
  credit: { word: "credit", tone: "plain" },
  reversal: { word: "taken back", tone: "bad" },
  return: { word: "given again", tone: "good" },
};

/** Why shares are refused, and what to do. @type {Record<string, {title: string, means: string, remedy: string}>} */
export const REJECTIONS = {
  stale: {
    title: "Stale",
    means: "The job was the miner's, but a newer block is being searched, or the job is too old.",
    remedy: "One in several hundred is usual. If there are more, look for a slow line, a proxy that passes new work on late, or firmware that finishes its old work first.",
  },
  unknown_job: {
    title: "Unknown job",
    means: "The pool gave this session no such job.",
    remedy: "The miner answers to a job of another connection: use firmware that resumes its session, and a proxy that does not mix up its lines.",
  },
  duplicate: {
    title: "Duplicate",
    means: "The very same header was accepted before; it counts once.",
    remedy: "A few over a bad line are harmless. Many mean that the miner searches the same space again: update firmware that ignores the new time or its extranonce.",
  },
  low_difficulty: {
    title: "Low difficulty",
    means: "The header's hash is above the target that was issued with the job.",
    remedy: "The miner computes another header than the pool. Lower its clock, check its chips, its version rolling and its algorithm (scrypt against SHA-256d).",
  },
  time_out_of_range: {
    title: "Time out of range",
    means: "The header's time is before the block's earliest or more than two hours ahead.",
    remedy: "The miner rolls the time further than it may: set its clock, and update its firmware.",
  },
  version_out_of_mask: {
    title: "Version out of mask",
    means: "Version bits were changed outside the mask that was agreed on.",
    remedy: "The miner rolls version bits it was not given: turn version rolling off, or update its firmware.",
  },
};

/** Why a balance that is due waits. @type {Record<string, string>} */
export const WAITS = {
  below_threshold: "It is below the threshold and is carried over.",
  no_address: "There is no payout address: register one with a signed request (POST /v1/miners), or start dwarves mine with --payout-address.",
  address_invalid: "The payout address is none of this chain: register another one.",
  address_refused: "The node cannot pay this address: register another one.",
  short_of_funds: "The pool's wallet lacks coins for now; smaller balances are paid first. Nothing is to be done.",
  fee_too_high: "Paying it would cost too much in fees now; it waits for lower fees or grows on.",
  next_batch: "The next transaction takes it.",
};

/** Which chain the pool is on. @type {Record<string, {tone: Tone, means: string}>} */
export const VERDICTS = {
  majority: { tone: "good", means: "Something says that it is the right chain, and nothing casts doubt on it." },
  unknown: { tone: "plain", means: "Nothing confirms that it is the right chain, and nothing speaks against it." },
  stale: { tone: "bad", means: "The tip is old: look at the node's peers." },
  minority: { tone: "bad", means: "The node is on another chain: no work is given out for it." },
};

/** How far a node knows a branch. @type {Record<string, string>} */
export const TIP_STATUS = {
  "valid-fork": "valid, but not the best",
  "valid-headers": "never checked fully",
  "headers-only": "blocks are missing",
  invalid: "invalid",
  unknown: "nobody says how it is",
};

/** States of the pool. @type {Record<string, {tone: Tone, means: string}>} */
export const POOL_STATES = {
  running: { tone: "good", means: "Work is given out and shares count." },
  paused: { tone: "bad", means: "The operator paused the pool: no work is given out." },
  draining: { tone: "wait", means: "The pool lets its miners finish and takes no new ones." },
  starting: { tone: "wait", means: "The pool starts." },
  stopping: { tone: "wait", means: "The pool stops." },
};

/** How a pool splits what it earns. @param {string} scheme */
export function schemeWords(scheme) {
  switch (scheme) {
    case "pplns":
      return "A block pays the work that was done last before it (PPLNS). Leaving early costs nothing, and coming late earns nothing extra: every unit of work in the window is paid the same.";
    case "proportional":
      return "A block pays all work since the block before it, each unit the same (proportional).";
    case "solo":
      return "A block pays the miner who found it, alone (solo).";
    case "pps":
      return "Every share is paid at once what it is worth on average, whether blocks come or not (PPS). The pool bears the luck.";
    case "fpps":
      return "Every share is paid at once what it is worth on average, with the transaction fees of blocks (FPPS). The pool bears the luck.";
    case "inverse_loss":
      return "Every round pays each miner's best result by 1/loss: half the loss earns twice as much.";
    case "score":
      return "Every round pays each miner's best result by its score: twice the score earns twice as much.";
    case "winner_takes_most":
      return "The best result takes a fixed part of every round, and the others share the rest by how good they are.";
    default:
      return `Rewards are split by the scheme ${scheme}.`;
  }
}

/** @param {number} bps Hundredths of a percent. */
export const feeWords = (bps) => (bps === 0 ? "The pool keeps nothing." : `The pool keeps ${format.significant(bps / 100)} %.`);

/** @param {number} secs */
export const everyWords = (secs) => `Rewards are credited every ${format.duration(secs)}.`;

/** What an effort means. @param {number} effort Work, in blocks to be expected. */
export function reachedBy(effort) {
  return 1 - Math.exp(-effort);
}
