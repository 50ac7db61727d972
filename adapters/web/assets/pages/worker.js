// One worker of a miner.

import { ask, part, pathParts } from "../api.js";
import { HashrateChart } from "../chart.js";
import { Section, el, facts, figure, hashrate, link, main, replace, trouble } from "../dom.js";
import * as format from "../format.js";
import { hashrateTiles, shortHashrate, tile, verdicts } from "../figures.js";
import { fill, lastShare } from "../miner.js";
import { begin } from "../shell.js";
import { showNamed } from "../watched.js";

/** @param {import("../watched.js").Shown} shown */
function showWorker({ id, base, check }) {
  const [, , , worker = ""] = pathParts();
  const path = `/v1/miners/${part(id)}`;
  const page = main(`Worker ${worker}`, el("span", { class: "lead" }, "of ", link(base, `miner ${format.shortened(id)}`)));
  const tiles = el("dl", { class: "tiles" });
  const history = new Section("Hashrate", { wide: true });
  const sharesCard = new Section("Shares");
  const factsCard = new Section("Difficulty");
  const grid = el("div", { class: "grid" }, history.element, sharesCard.element, factsCard.element);
  page.append(tiles, grid);
  const chart = new HashrateChart(`${path}/history`, "worker's hashrate", new URLSearchParams({ worker }).toString());

  void begin({
    refresh: async () => {
      let miner;
      try {
        await check();
        miner = await ask(path);
      } catch (error) {
        if (/** @type {{status?: number}} */ (error).status === 0) throw error;
        replace(grid, [el("div", { class: "card wide" }, trouble(error, "this miner"))]);
        return;
      }
      const one = (miner.workers ?? []).find((/** @type {any} */ known) => known.name === worker);
      if (!one) {
        const text = miner.workers ? "The miner has no worker of this name. A name is here from its first share on, and gives way after a month without one." : "Only the owner and the operator see worker names.";
        replace(grid, [el("div", { class: "card wide" }, el("p", { class: "empty" }, text))]);
        return;
      }
      const secs = secsBetweenShares(one);
      replace(tiles, [...hashrateTiles(one), tile("Last share", lastShare(one.last_share_at)), tile("Accepted", figure(one.shares, format.count(one.shares)))]);
      sharesCard.show(verdicts({ accepted: one.shares, rejected: one.rejected }, true));
      factsCard.show(
        facts([
          ["Of its next job", figure(one.share_difficulty, format.difficulty(one.share_difficulty))],
          ["Shares come", secs === null ? "–" : format.often(secs)],
          ["Hashrate", hashrate(shortHashrate(one))],
        ]),
        el("p", { class: "lead" }, "Difficulty follows the worker, so that shares come in a steady beat. A miner that wants to begin higher says so in its password: ", el("code", {}, "d=1024"), " starts there, ", el("code", {}, "md=512"), " keeps it from going below."),
      );
      await fill(history, "its hashrate over time", async () => {
        await chart.refresh();
        if (!chart.element.isConnected) history.show(chart.element);
      });
    },
  });
}

/** @param {any} one */
function secsBetweenShares(one) {
  const rate = shortHashrate(one);
  return rate > 0 ? (one.share_difficulty * 2 ** 32) / rate : null;
}

await showNamed(showWorker);
