// Hashrates over time, by uPlot, with what happened on the way, and the same as a table.

import { ask } from "./api.js";
import { append, el, hashrate, time } from "./dom.js";
import * as format from "./format.js";
import { saveAs } from "./table.js";
import { REJECTIONS } from "./words.js";

/** How far back, in which steps. @type {{name: string, resolution: string, secs: number}[]} */
const SPANS = [
  { name: "1 hour", resolution: "minute", secs: 3600 },
  { name: "6 hours", resolution: "minute", secs: 6 * 3600 },
  { name: "24 hours", resolution: "minute", secs: 86_400 },
  { name: "7 days", resolution: "hour", secs: 7 * 86_400 },
  { name: "30 days", resolution: "hour", secs: 30 * 86_400 },
  { name: "1 year", resolution: "day", secs: 365 * 86_400 },
];

/** What marks on the chart are. @type {Record<string, string>} */
const MARKS = {
  pool_started: "The pool started",
  pool_stopped: "The pool stopped",
  difficulty: "Difficulty changed",
  gap: "No share came",
};

/** @type {Promise<any> | null} */
let loading = null;

/** uPlot, loaded when a chart is first drawn. */
function library() {
  loading ??= new Promise((resolve, reject) => {
    document.head.append(el("link", { rel: "stylesheet", href: "/assets/uplot.css" }));
    const script = el("script", { src: "/assets/uplot.js" });
    script.addEventListener("load", () => resolve(/** @type {any} */ (globalThis).uPlot));
    script.addEventListener("error", () => reject(new Error("the chart's library does not load")));
    document.head.append(script);
  });
  return loading;
}

/** @param {string} name */
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** How high charts are, in pixels. */
const HIGH = 240;
const LOW = 120;

/** Draws these data in a box: anew, or in the chart that is there. @param {HTMLElement} box @param {any} plot @param {any[]} data
 * @param {() => any} make @param {string} what */
function drawIn(box, plot, data, make, what) {
  if (plot) {
    plot.setData(data);
    return plot;
  }
  box.replaceChildren();
  const made = make();
  const canvas = box.querySelector("canvas");
  canvas?.setAttribute("role", "img");
  canvas?.setAttribute("aria-label", `${what} over time; the same figures are in the table below.`);
  return made;
}

/** The part of the shares of a step that was refused; null without a share. @param {any} point */
function refusedPart(point) {
  const refused = Object.values(point.rejected ?? {}).reduce((sum, n) => sum + Number(n), 0);
  return point.accepted + refused > 0 ? refused / (point.accepted + refused) : null;
}

export class HashrateChart {
  /** @param {string} path The history's route, without a query. @param {string} of Whose hashrate it is. @param {string} [query] */
  constructor(path, of, query = "") {
    this.path = path;
    this.of = of;
    this.query = query;
    this.span = SPANS[0] ?? { name: "1 hour", resolution: "minute", secs: 3600 };
    this.box = el("div", { class: "chart" });
    this.note = el("p", { class: "chart-note" });
    this.refusedBox = el("div", { class: "chart low" });
    this.refused = el("div", { hidden: true }, el("h3", {}, "Refused shares"), this.refusedBox);
    this.events = el("ul", { class: "chart-note", hidden: true });
    this.table = el("div", {});
    this.buttons = SPANS.map((span) => {
      const button = el("button", { type: "button", class: "small", "aria-pressed": span === this.span ? "true" : "false" }, span.name);
      button.addEventListener("click", () => {
        this.span = span;
        for (const other of this.buttons) other.setAttribute("aria-pressed", String(other === button));
        void this.refresh();
      });
      return button;
    });
    this.element = el(
      "div",
      {},
      el("div", { class: "choice", role: "group", "aria-label": "How far back" }, ...this.buttons),
      this.box,
      this.note,
      this.events,
      this.refused,
      el("details", {}, el("summary", {}, "The same as a table"), this.table),
    );
    /** @type {any} */
    this.plot = null;
    /** @type {any} */
    this.refusedPlot = null;
    /** @type {any} */
    this.history = null;
    /** @type {any[]} */
    this.shown = [];
    this.summary = "";
    new ResizeObserver(() => {
      this.plot?.setSize(this.size());
      this.refusedPlot?.setSize(this.size(LOW));
    }).observe(this.box);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
      this.plot?.destroy();
      this.refusedPlot?.destroy();
      this.plot = null;
      this.refusedPlot = null;
      if (this.history) void this.draw();
    });
  }

  size(height = HIGH) {
    return { width: Math.max(240, this.box.clientWidth), height };
  }

  /** Reads the history and draws it. Fails if there is none to be had. */
  async refresh() {
    const now = Date.now();
    const from = new Date(now - this.span.secs * 1000).toISOString();
    const query = new URLSearchParams(this.query);
    query.set("resolution", this.span.resolution);
    query.set("from", from);
    const key = query.toString();
    this.history = await ask(`${this.path}?${key}`);
    await this.draw();
  }

  async draw() {
    const { points, marks, step_secs: step } = this.history;
    const over = points.filter((/** @type {any} */ point) => point.is_open !== true);
    const closed = over.length > 0 ? over : points;
    this.describe(closed, marks ?? []);
    // The last step is still filling up: its rate would look like a fall.
    const x = closed.map((/** @type {any} */ point) => Date.parse(point.at) / 1000 + step / 2);
    const y = closed.map((/** @type {any} */ point) => point.hashrate);
    const high = closed.map((/** @type {any} */ point) => point.hashrate * (1 + (point.error ?? 0)));
    const low = closed.map((/** @type {any} */ point) => Math.max(0, point.hashrate * (1 - (point.error ?? 0))));
    const UPlot = await library();
    const data = [x, y, high, low];
    this.marks = (marks ?? []).map((/** @type {any} */ mark) => ({ ...mark, x: Date.parse(mark.at) / 1000 }));
    this.plot = drawIn(this.box, this.plot, data, () => new UPlot(this.options(UPlot), data, this.box), `The ${this.of}`);
    this.drawRefused(UPlot, x, closed);
  }

  /** Which part of the shares was refused, if any was. @param {any} UPlot @param {number[]} x @param {any[]} points */
  drawRefused(UPlot, x, points) {
    const parts = points.map(refusedPart);
    this.refused.hidden = !parts.some((part) => part !== null && part > 0);
    if (this.refused.hidden) return;
    const data = [x, parts];
    const make = () => new UPlot(this.refusedOptions(UPlot), data, this.refusedBox);
    this.refusedPlot = drawIn(this.refusedBox, this.refusedPlot, data, make, "The part of the shares that was refused");
  }

  /** @param {any} UPlot */
  refusedOptions(UPlot) {
    const whole = this.options(UPlot);
    const [time, rate] = whole.axes;
    return {
      ...whole,
      ...this.size(LOW),
      scales: { ...whole.scales, y: { range: (/** @type {any} */ _plot, /** @type {number} */ _low, /** @type {number} */ high) => [0, Math.max(0.01, high * 1.1)] } },
      series: [{}, { stroke: "#c58a1a", fill: "rgb(197 138 26 / 16%)", width: 2, points: { show: () => this.shown.length < 10, size: 6 } }],
      bands: [],
      axes: [time, { ...rate, values: (/** @type {any} */ _plot, /** @type {number[]} */ splits) => splits.map((split) => format.percent(split, split < 0.1 && split > 0 ? 1 : 0)) }],
      hooks: {},
    };
  }

  /** @param {any} UPlot */
  options(UPlot) {
    const axis = { stroke: colour("--soft"), grid: { stroke: colour("--chart-grid"), width: 1 }, ticks: { show: false }, font: "12px system-ui, sans-serif" };
    return {
      ...this.size(),
      // Both charts point to the same time.
      cursor: { y: false, drag: { x: false, y: false }, points: { size: 7 }, sync: { key: "time" } },
      legend: { show: false },
      // All of the time that was asked for, also of a pool that is younger: one point alone has no width.
      scales: { x: { range: () => [Date.now() / 1000 - this.span.secs, Date.now() / 1000] }, y: { range: (/** @type {any} */ _plot, /** @type {number} */ _low, /** @type {number} */ high) => [0, high > 0 ? high * 1.1 : 1] } },
      series: [
        {},
        { stroke: colour("--chart"), width: 2, points: { show: () => this.shown.length < 10, size: 6 } },
        { stroke: "transparent", points: { show: false } },
        { stroke: "transparent", points: { show: false } },
      ],
      bands: [{ series: [2, 3], fill: colour("--chart-band") }],
      axes: [
        { ...axis, size: 36, gap: 12, ...timeAxis(UPlot) },
        { ...axis, size: 78, values: (/** @type {any} */ _plot, /** @type {number[]} */ splits) => splits.map((split) => format.hashrate(split)) },
      ],
      hooks: { draw: [(/** @type {any} */ plot) => this.drawMarks(plot)], setCursor: [(/** @type {any} */ plot) => this.say(plot.cursor.idx)] },
    };
  }

  /** Says in words what is under the pointer, or what all of it comes to. @param {number | null | undefined} index */
  say(index) {
    const point = index === null || index === undefined ? undefined : this.shown[index];
    if (point === undefined) {
      this.note.textContent = this.summary;
      return;
    }
    const { hashrate: rate, error } = point;
    const band = error ? `, likely between ${format.hashrate(Math.max(0, rate * (1 - error)))} and ${format.hashrate(rate * (1 + error))}` : "";
    this.note.textContent = `From ${format.localTime(new Date(point.at))}: ${format.hashrate(rate)}${band}; ${format.count(point.accepted)} shares accepted, refused: ${refused(point.rejected)}`;
  }

  /** @param {any} plot */
  drawMarks(plot) {
    const { ctx, bbox } = plot;
    ctx.save();
    for (const mark of this.marks ?? []) {
      const x = plot.valToPos(mark.x, "x", true);
      if (x < bbox.left || x > bbox.left + bbox.width) continue;
      ctx.strokeStyle = colour(mark.kind === "difficulty" ? "--wait" : "--bad");
      ctx.setLineDash([4, 3]);
      ctx.lineWidth = devicePixelRatio;
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
    }
    ctx.restore();
  }

  /** The same in words, and as a table. @param {any[]} points @param {any[]} marks */
  describe(points, marks) {
    const rates = points.map((point) => point.hashrate);
    const last = rates.at(-1);
    const happened = marks.filter((mark) => MARKS[mark.kind]);
    this.shown = points;
    this.summary = last === undefined ? "No share came in this time." : `Last ${format.hashrate(last)}, lowest ${format.hashrate(Math.min(...rates))}, highest ${format.hashrate(Math.max(...rates))}. The band is where it likely was, by the chance of shares alone.`;
    this.say(this.plot?.cursor.idx);
    this.events.replaceChildren(...happened.slice(-5).map((mark) => el("li", {}, time(mark.at), ` ${MARKS[mark.kind]}`, detail(mark))));
    this.events.hidden = happened.length === 0;
    const rows = [...points].reverse().map((point) =>
      el(
        "tr",
        {},
        el("th", { scope: "row" }, time(point.at)),
        el("td", { class: "figures" }, hashrate(point.hashrate, point.error)),
        el("td", { class: "figures" }, format.count(point.accepted)),
        el("td", { class: "figures" }, refused(point.rejected)),
      ),
    );
    const head = ["From", "Hashrate", "Accepted", "Refused"].map((title, index) => el("th", { scope: "col", class: index === 0 ? null : "figures" }, title));
    const caption = `${this.of}, last ${this.span.name}`;
    const table = el("table", {}, el("caption", {}, caption), el("thead", {}, el("tr", {}, head)), el("tbody", {}, rows));
    this.table.replaceChildren();
    const csv = el("button", { type: "button", class: "small csv", title: `Save “${caption}” as CSV` }, "CSV");
    csv.addEventListener("click", () => saveAs("history", points));
    append(this.table, [el("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": caption }, table), el("div", { class: "table-foot" }, csv)]);
  }
}

/** Times of day in 24 hours, days by date. @param {any} UPlot */
function timeAxis(UPlot) {
  const day = UPlot.fmtDate("{YYYY}-{MM}-{DD}");
  const short = UPlot.fmtDate("{HH}:{mm}");
  return {
    values: (/** @type {any} */ _plot, /** @type {number[]} */ splits, /** @type {number} */ _axis, /** @type {number} */ _space, /** @type {number} */ step) =>
      splits.map((secs) => {
        const date = new Date(secs * 1000);
        const isMidnight = date.getHours() === 0 && date.getMinutes() === 0;
        return step >= 86_400 || isMidnight ? day(date).slice(5) : short(date);
      }),
  };
}

/** @param {any} mark */
function detail(mark) {
  const text = mark.kind === "difficulty" && mark.from && mark.to ? `${format.difficulty(mark.from)} to ${format.difficulty(mark.to)}` : (mark.detail ?? "");
  const lasted = mark.until ? ` for ${format.duration((Date.parse(mark.until) - Date.parse(mark.at)) / 1000)}` : "";
  return `${lasted}${text === "" ? "" : `: ${text}`}`;
}

/** @param {Record<string, number> | undefined} rejected */
function refused(rejected) {
  const some = Object.entries(rejected ?? {}).filter(([, n]) => n > 0);
  const words = some.map(([reason, n]) => `${format.count(n)} ${(REJECTIONS[reason]?.title ?? reason).toLowerCase()}`);
  return some.length === 0 ? "0" : words.join(", ");
}
