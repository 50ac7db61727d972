// The pool's first page: how it is, what it found, and how to connect.

import { ask } from "../api.js";
import { HashrateChart } from "../chart.js";
import { Section, copyLine, el, facts, figure, link, main, name, replace, state, time } from "../dom.js";
import * as format from "../format.js";
import * as evaluated from "../evaluated.js";
import { BLOCK_COLUMNS, EVALUATED_ROUND_COLUMNS, ROUND_COLUMNS, hashrateTiles, progress, shortHashrate, tile, verdicts } from "../figures.js";
import { begin, poolNow } from "../shell.js";
import { PagedTable, Table } from "../table.js";
import { POOL_STATES, TIP_STATUS, VERDICTS, everyWords, feeWords, reachedBy, schemeWords } from "../words.js";

/** @typedef {import("../dom.js").Child} Child */

const page = main("Pool");
const tiles = el("dl", { class: "tiles" });
const chart = new HashrateChart("/v1/pool/history", "pool's hashrate");
const history = new Section("Hashrate", { wide: true });
const effortCard = new Section("Round under way");
const chainCard = new Section("Chain");
const connectCard = new Section("Connect", { id: "connect" });
const blocksCard = new Section("Last blocks", { wide: true });
const roundsCard = new Section("Last rounds", { wide: true });
const sharesCard = new Section("Shares");
const termsCard = new Section("How rewards are split");
effortCard.element.classList.add("third");
chainCard.element.classList.add("third");
sharesCard.element.classList.add("third", "last");
page.append(
  tiles,
  el("div", { class: "grid" }, history.element, effortCard.element, chainCard.element, sharesCard.element, connectCard.element, termsCard.element, blocksCard.element, roundsCard.element),
);

const blocks = new PagedTable(
  { caption: "Last blocks", columns: BLOCK_COLUMNS, rowId: (row) => row.hash, empty: "No block yet. The first one is listed here as soon as a miner finds it." },
  "/v1/blocks",
  "blocks",
  { limit: 10, id: (row) => row.hash },
);
/** @type {PagedTable<any> | null} */
let roundsTable = null;

/** The last rounds, once it is known what kind of pool it is. */
function rounds() {
  const [columns, empty] = poolNow()?.evaluated
    ? [EVALUATED_ROUND_COLUMNS, "No round yet. The first one is listed here once it has closed."]
    : [ROUND_COLUMNS, "No round yet. A round closes after a block, and credits it to its miners."];
  roundsTable ??= new PagedTable(
    { caption: "Last rounds", columns, rowId: (row) => String(row.id), empty },
    "/v1/rounds",
    "rounds",
    { limit: 5, id: (row) => String(row.id) },
  );
  return roundsTable;
}

/** @param {any} pool */
function showPool(pool) {
  const words = POOL_STATES[pool.state];
  const title = document.querySelector(".title");
  title?.querySelector(".state")?.remove();
  title?.append(state(pool.state, words?.tone ?? "plain", words?.means));
  if (pool.evaluated) {
    for (const card of [history, effortCard, chainCard, sharesCard, blocksCard]) card.element.remove();
    replace(tiles, evaluated.poolTiles(pool));
    showTerms(pool);
    return;
  }
  const { accepted, rejected } = pool.shares;
  const refused = Object.values(rejected).reduce((sum, n) => sum + Number(n), 0);
  const rate = pool.share_rate;
  replace(tiles, [
    ...hashrateTiles(pool),
    tile("Miners", figure(pool.miners, format.count(pool.miners)), `${format.count(pool.workers_active)} of ${format.count(pool.workers)} workers active`),
    tile("Shares accepted", figure(rate, `${rate < 10 ? format.significant(rate) : format.scaled(rate, "").trimEnd()} a second`), `${format.percent(accepted + refused === 0 ? 1 : accepted / (accepted + refused), 2)} of all`),
  ]);
  sharesCard.show(verdicts(pool.shares, false));
  showEffort(pool);
  showTerms(pool);
}

/** @param {any} pool */
function showEffort(pool) {
  const [last] = blocks.newest;
  const reached = pool.effort_percentile;
  const rate = shortHashrate(pool);
  // Work of a block is difficulty × 2^32 hashes; on scrypt chains as well.
  const secs = pool.network_difficulty && rate > 0 ? (pool.network_difficulty * 2 ** 32) / rate : null;
  const band = pool.luck_error === null || pool.luck_error === undefined ? null : el("span", { class: "band" }, ` ± ${format.percent(pool.luck_error, 0)}`);
  effortCard.show(
    facts([
      last ? ["Last block", link(`/blocks/${last.hash}`, time(last.found_at, { ago: true }))] : null,
      ["Work since the last block", figure(pool.round_effort, format.percent(pool.round_effort), "100 % is what a block takes on average")],
      ["Block by now in", figure(reached, `${format.percent(reached)} of cases`)],
    ]),
    progress(reached, `A block would have come by now in ${format.percent(reached)} of cases`),
    facts([
      ["Blocks come", secs === null ? "–" : format.often(secs)],
      secs === null || secs < 3600 ? null : ["A block within a day", `in ${format.percent(reachedBy(86_400 / secs))} of cases`],
      ["Luck so far", pool.luck === null || pool.luck === undefined ? "no block yet" : el("span", {}, figure(pool.luck, format.percent(pool.luck, 0), "Blocks found against those to be expected"), band)],
    ]),
  );
}

/** @param {any} pool */
function showTerms(pool) {
  termsCard.show(
    el("p", {}, schemeWords(pool.scheme)),
    el("p", {}, `${feeWords(pool.fee_bps)} ${everyWords(pool.run_interval_secs)}`),
    facts([
      ["Next round", time(pool.next_round_at, { ago: true, isDue: true })],
      ["Registration", pool.registration_open ? "open" : "closed to new miners"],
      ["Pool's hotkey", name(pool.hotkey)],
    ]),
  );
}

/** @param {any} chain */
function showChain(chain) {
  const words = VERDICTS[chain.verdict];
  const pool = poolNow();
  const nodes = /** @type {any[]} */ (chain.nodes ?? []);
  chainCard.show(
    facts([
      ["Chain", `${chain.chain} `, state(chain.verdict, words?.tone ?? "plain", words?.means)],
      ["Height", chain.height === null ? "–" : figure(chain.height, format.count(chain.height))],
      ["Tip", chain.tip ? el("span", { class: "mono", title: chain.tip }, `…${chain.tip.slice(-12)}`) : "–"],
      chain.tip_age_secs === null || chain.tip_age_secs === undefined ? null : ["Age of the tip", format.duration(chain.tip_age_secs)],
      pool?.network_difficulty ? ["Difficulty", figure(pool.network_difficulty, format.difficulty(pool.network_difficulty))] : null,
    ]),
    chain.problem ? el("p", { class: "note bad" }, chain.problem) : null,
    nodes.length > 0 ? nodeTable.show(nodes) : null,
    branches(nodes),
  );
}

/** How many peers a node has. @param {any} node @returns {Child} */
function peersOf(node) {
  if (node.peers === null || node.peers === undefined) return el("span", { class: "quiet" }, "–");
  const split = node.peers_in === null || node.peers_out === null ? null : `${format.count(node.peers_in)} came to it, it went to ${format.count(node.peers_out)}`;
  return el("span", { title: split }, figure(node.peers, format.count(node.peers)), node.peers_in === null ? null : el("small", {}, ` ${format.count(node.peers_in)} in`));
}

const nodeTable = new Table({
  caption: "Nodes side by side",
  empty: "No node.",
  rowId: (/** @type {any} */ node) => node.name,
  csv: "chain-nodes",
  columns: [
    { title: "Node", cell: (node) => el("span", {}, node.name, node.is_used ? el("small", {}, " in use") : null) },
    { title: "Height", figures: true, cell: (node) => (node.height === null ? "–" : el("span", {}, figure(node.height, format.count(node.height)), node.behind ? el("small", {}, ` −${format.count(node.behind)}`) : null)) },
    { title: "Tip age", figures: true, cell: (node) => (node.tip_age_secs === null || node.tip_age_secs === undefined ? "–" : figure(node.tip_age_secs, format.duration(node.tip_age_secs))) },
    { title: "Peers", figures: true, cell: peersOf },
    { title: "State", cell: (node) => state(node.state, VERDICTS[node.state]?.tone ?? "plain", node.problem ?? VERDICTS[node.state]?.means) },
  ],
});

/** The branches that nodes know beside the best chain. @param {any[]} nodes */
function branches(nodes) {
  const lines = nodes.flatMap((node) =>
    (node.tips ?? [])
      .filter((/** @type {any} */ tip) => tip.status !== "active")
      .map((/** @type {any} */ tip) => el("li", {}, `${format.count(tip.height)} `, el("span", { class: "mono", title: tip.hash }, `…${tip.hash.slice(-12)}`), ` ${TIP_STATUS[tip.status] ?? tip.status}, ${format.count(tip.branch_len)} ${tip.branch_len === 1 ? "block" : "blocks"}`, el("small", {}, ` ${node.name}`))),
  );
  const left = nodes.reduce((sum, node) => sum + (node.tips_left ?? 0), 0);
  if (lines.length === 0) return null;
  // Drawn anew, it stays as it was left.
  const isOpen = /** @type {HTMLDetailsElement | null} */ (document.getElementById("branches"))?.open === true;
  return el("details", { id: "branches", open: isOpen }, el("summary", {}, `Other branches: ${format.count(lines.length + left)}`), el("ul", { class: "plain" }, lines, left > 0 ? el("li", { class: "quiet" }, `and ${format.count(left)} lower ones`) : null));
}

/** What a pool that does not tell of its nodes says of its chain all the same. */
function showChainOfPool() {
  const pool = poolNow();
  chainCard.show(
    facts([
      ["Chain", pool.chain],
      ["Height", pool.height === null ? "no work" : figure(pool.height, format.count(pool.height))],
      ["Difficulty", pool.network_difficulty === null ? "–" : figure(pool.network_difficulty, format.difficulty(pool.network_difficulty))],
      ["Algorithm", pool.algorithm],
    ]),
  );
}

const PROTOCOLS = /** @type {Record<string, string>} */ ({ stratum: "Stratum", http: "HTTP, for signed clients", getwork: "getblocktemplate and getwork" });
const hasEnglishOrder = ["stratum", "getwork", "http"];

/** @param {any} connect */
function showConnect(connect) {
  const host = location.hostname;
  const order = (/** @type {any} */ one) => hasEnglishOrder.indexOf(one.protocol);
  const ways = [...connect.listeners].sort((one, other) => order(one) - order(other)).map((listener) => {
    const url = listener.url.replace("HOST", host);
    const range = `It begins at difficulty ${format.difficulty(listener.start_difficulty)} (${format.hashesOf(listener.start_difficulty)} is a share) and then follows the miner.`;
    const title = `${PROTOCOLS[listener.protocol] ?? listener.protocol}${listener.tls ? " with TLS" : ""}`;
    return el("div", { class: "way" }, el("h3", {}, title), copyLine(url, `${title}: address`), el("p", {}, range, listener.note ? ` ${listener.note[0].toUpperCase()}${listener.note.slice(1)}.` : ""), qrButton(url, title));
  });
  connectCard.show(
    el("div", { class: "ways" }, ways),
    el("h3", {}, "User name"),
    copyLine(connect.login.example, "example of a user name"),
    el("p", { class: "lead" }, `${connect.login.form}; password: ${connect.login.password}.`),
  );
}

/** What can be said without the route: the page's own address speaks HTTP. */
function showConnectOfPage() {
  const url = `${location.protocol}//${location.host}`;
  const { algorithm } = poolNow();
  connectCard.show(
    el("div", { class: "ways" },
      el("div", { class: "way" }, el("h3", {}, "Mining software, over HTTP"), copyLine(`minerd -a ${algorithm} -o ${url}/ -u ADDRESS.cpu -p x`, "command for minerd"), el("p", {}, "ADDRESS is where you want to be paid."), qrButton(`${url}/`, "the pool's address")),
      el("div", { class: "way" }, el("h3", {}, "With a hotkey of your own"), copyLine("dwarves hotkey new miner.key", "command that makes a key"), copyLine(`dwarves mine --hotkey miner.key --pool ${url} --payout-address ADDRESS`, "command that mines")),
    ),
  );
}

/** Shows a text as a picture for a phone's camera. @param {string} text @param {string} what */
function qrButton(text, what) {
  const button = el("button", { type: "button", class: "small", "aria-expanded": "false" }, "QR code");
  const holder = el("div", {});
  button.addEventListener("click", async () => {
    if (holder.firstChild) {
      holder.replaceChildren();
      button.setAttribute("aria-expanded", "false");
      return;
    }
    const { generate } = await import("../qr.js");
    const canvas = el("canvas", { class: "qr", role: "img", "aria-label": `QR code of ${text} (${what})` });
    generate(text).toCanvas(canvas, { on: [0, 0, 0, 255], off: [255, 255, 255, 255], padX: 4, padY: 4 });
    holder.replaceChildren(canvas);
    button.setAttribute("aria-expanded", "true");
  });
  return el("div", { class: "qr-box" }, button, holder);
}

/** Shows a part, or that it is not told. @param {Section} section @param {string} what @param {() => Promise<unknown>} read */
async function fill(section, what, read) {
  try {
    await read();
  } catch (error) {
    section.refuse(error, what);
    if (/** @type {{status?: number}} */ (error).status === 0) throw error;
  }
}

async function refreshRounds() {
  await rounds().refresh();
  if (!rounds().element.isConnected) roundsCard.show(rounds().element);
}

async function refresh() {
  if (poolNow()?.evaluated) {
    await fill(roundsCard, "its rounds", refreshRounds);
    return;
  }
  await Promise.all([
    fill(blocksCard, "its blocks", async () => {
      await blocks.refresh();
      showEffort(poolNow());
      if (!blocks.element.isConnected) blocksCard.show(blocks.element);
    }),
    fill(roundsCard, "its rounds", refreshRounds),
    fill(history, "its hashrate over time", async () => {
      await chart.refresh();
      if (!chart.element.isConnected) history.show(chart.element);
    }),
    (async () => {
      try {
        showChain(await ask("/v1/chain"));
      } catch {
        showChainOfPool();
      }
    })(),
  ]);
}

let isConnectShown = false;

void begin({
  topics: ["block", "round", "chain"],
  onPool: (pool) => {
    showPool(pool);
    if (pool.miners === 0 && !document.getElementById("welcome")) {
      const welcome = el("p", { class: "note wait", id: "welcome" }, "No miner has come yet. ", link("#connect", "Here is how to connect"), `; figures appear with the first ${pool.evaluated ? "work" : "share"}.`);
      tiles.before(welcome);
    } else if (pool.miners > 0) {
      document.getElementById("welcome")?.remove();
    }
  },
  refresh: async () => {
    if (!isConnectShown) {
      isConnectShown = true;
      if (poolNow()?.evaluated) {
        evaluated.showConnect(connectCard);
      } else {
        try {
          showConnect(await ask("/v1/connect"));
        } catch {
          showConnectOfPage();
        }
      }
    }
    await refresh();
  },
  onEvent: (event, data) => {
    if (event === "chain" && !poolNow()?.evaluated) showChain(data);
  },
});
