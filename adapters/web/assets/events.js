// What happens, as it happens: by server-sent events, or by asking again where there are none.

const POLL_MILLIS = 10_000;
/** How long to wait before a pool without events is asked for them again. */
const RETRY_MILLIS = 60_000;
/** Readers hear of a block at the same moment: they ask for its figures one after the other. */
const SPREAD_MILLIS = 400;

/**
 * @typedef {object} Follower
 * @property {string[]} topics What is of interest.
 * @property {() => string | undefined} [miner] Of which miner: its hotkey, once it is known.
 * @property {(name: string, data: any) => void} [onEvent] An event came.
 * @property {() => Promise<void>} refresh Reads everything anew; fails if the pool does not answer.
 */

/** Follows what happens, for as long as the page is there. @param {Follower} follower */
export function follow(follower) {
  const status = document.getElementById("live");
  /** @type {EventSource | null} */
  let source = null;
  let polling = 0;
  let retrying = 0;
  let pending = 0;
  let greeted = false;
  let isRefreshing = false;

  /** @param {"live" | "poll" | "away"} how */
  function say(how) {
    if (!status || status.dataset.how === how) return;
    status.dataset.how = how;
    const words = { live: "Live", poll: "Every 10 s", away: "No answer" };
    const hints = {
      live: "The figures move as things happen.",
      poll: "The pool is asked for the figures every 10 seconds.",
      away: "The pool does not answer. It is asked again every 10 seconds.",
    };
    status.textContent = words[how];
    status.title = hints[how];
  }

  async function refresh() {
    if (isRefreshing) return;
    isRefreshing = true;
    try {
      await follower.refresh();
      say(source?.readyState === EventSource.OPEN ? "live" : "poll");
    } catch {
      say("away");
    } finally {
      isRefreshing = false;
    }
  }

  function poll() {
    if (polling !== 0) return;
    say("poll");
    polling = setInterval(refresh, POLL_MILLIS);
  }

  function listen() {
    clearTimeout(retrying);
    const query = new URLSearchParams({ topics: follower.topics.join(",") });
    const miner = follower.miner?.();
    if (miner !== undefined) query.set("miner", miner);
    source = new EventSource(`/v1/events?${query}`);
    source.addEventListener("open", () => {
      clearInterval(polling);
      polling = 0;
      say("live");
    });
    source.addEventListener("error", () => {
      if (polling === 0) void refresh();
      poll();
      if (source?.readyState === EventSource.CLOSED) retrying = setTimeout(listen, RETRY_MILLIS);
    });
    source.addEventListener("hello", (event) => {
      // The first one follows what was just read.
      if (greeted && JSON.parse(event.data).resumed !== true) void refresh();
      greeted = true;
    });
    for (const name of ["pool", "block", "round", "payout", "chain"]) {
      source.addEventListener(name, (event) => {
        follower.onEvent?.(name, JSON.parse(event.data));
        if (name !== "pool") {
          clearTimeout(pending);
          pending = setTimeout(refresh, 50 + Math.random() * SPREAD_MILLIS);
        }
      });
    }
  }

  document.addEventListener("visibilitychange", () => {
    if (document.hidden) {
      source?.close();
      source = null;
      clearTimeout(retrying);
      clearInterval(polling);
      polling = 0;
    } else if (source === null) {
      greeted = false;
      void refresh();
      listen();
    }
  });
  if (!document.hidden) listen();
}
