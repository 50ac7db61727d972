// Tables that sort by their heads, with their rows from a page of the API or several.

import { ask } from "./api.js";
import { ROWS_MAX, toCsv } from "./csv.js";
import { el, trouble } from "./dom.js";

/** @typedef {import("./dom.js").Child} Child */

/**
 * A column: its head, what a row shows, and by what it sorts.
 * @template T
 * @typedef {{title: string, cell: (row: T) => Child | Child[], by?: (row: T) => number | string | bigint | null | undefined, figures?: boolean, wide?: boolean, hint?: string}} Column
 */

/**
 * @template T
 * @typedef {{caption: string, columns: Column<T>[], empty: Child, rowId?: (row: T) => string, csv?: string}} TableShape
 */

/** Hands rows to the browser as a file. @param {string} name @param {Record<string, unknown>[]} rows */
export function saveAs(name, rows) {
  const address = URL.createObjectURL(new Blob([toCsv(rows)], { type: "text/csv" }));
  el("a", { href: address, download: `${name}.csv` }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

/** @template T */
export class Table {
  /** @param {TableShape<T>} shape */
  constructor(shape) {
    this.shape = shape;
    /** @type {T[]} */
    this.rows = [];
    /** @type {number | null} */
    this.sorted = null;
    this.down = true;
    this.element = el("div", { class: "table" });
  }

  /** @param {T[]} rows */
  show(rows) {
    this.rows = rows;
    this.draw();
    return this.element;
  }

  draw() {
    if (this.rows.length === 0) {
      this.element.replaceChildren(el("div", { class: "empty" }, this.shape.empty));
      return;
    }
    const scrolled = this.element.querySelector(".scroll")?.scrollLeft ?? 0;
    const focused = this.placeOfFocus();
    const head = el("tr", {}, this.shape.columns.map((column, index) => this.head(column, index)));
    const body = el("tbody", {}, this.inOrder().map((row) => this.row(row)));
    const table = el("table", {}, el("caption", {}, this.shape.caption), el("thead", {}, head), body);
    const scroll = el("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": this.shape.caption }, table);
    if (this.element.firstElementChild?.isEqualNode(scroll)) return;
    this.element.replaceChildren(scroll, ...this.foot());
    scroll.scrollLeft = scrolled;
    focused?.()?.focus({ preventScroll: true });
  }

  /** A way to save the rows, if the table has a name for the file. */
  foot() {
    const { csv } = this.shape;
    if (csv === undefined) return [];
    const button = el("button", { type: "button", class: "small csv", title: `Save “${this.shape.caption}” as CSV` }, "CSV");
    button.addEventListener("click", () => saveAs(csv, /** @type {Record<string, unknown>[]} */ (this.rows)));
    return [el("div", { class: "table-foot" }, button)];
  }

  /** Where the focus is, as a way to find it again in the next drawing: in the same row, wherever that is by then.
   * @returns {(() => HTMLElement | null | undefined) | null} */
  placeOfFocus() {
    const active = document.activeElement;
    if (!active || !this.element.contains(active)) return null;
    const row = /** @type {HTMLElement | null} */ (active.closest("tr"));
    if (row === null) return () => this.element.querySelector(".scroll");
    const index = [...row.querySelectorAll("a, button")].indexOf(active);
    const { id } = row.dataset;
    const again = () => (id === undefined ? this.element.querySelector("thead tr") : this.element.querySelector(`tr[data-id="${CSS.escape(id)}"]`));
    return () => /** @type {HTMLElement | undefined} */ (again()?.querySelectorAll("a, button")[index]);
  }

  /** @param {Column<T>} column @param {number} index */
  head(column, index) {
    const isSorted = this.sorted === index;
    const classes = classesOf(column);
    if (!column.by) return el("th", { scope: "col", class: classes, title: column.hint }, column.title);
    const mark = el("span", { class: "mark", "aria-hidden": "true" }, isSorted ? (this.down ? "▾" : "▴") : "");
    const parts = column.figures ? [mark, column.title] : [column.title, mark];
    const button = el("button", { type: "button", title: column.hint ?? `Sort by ${column.title.toLowerCase()}` }, ...parts);
    button.addEventListener("click", () => {
      this.down = isSorted ? !this.down : true;
      this.sorted = index;
      this.draw();
    });
    const order = isSorted ? (this.down ? "descending" : "ascending") : "none";
    return el("th", { scope: "col", class: classes, "aria-sort": order }, button);
  }

  /** @param {T} row */
  row(row) {
    const id = this.shape.rowId?.(row);
    return el("tr", { "data-id": id }, this.shape.columns.map((column) => el("td", { class: classesOf(column) }, column.cell(row))));
  }

  inOrder() {
    const by = this.sorted === null ? undefined : this.shape.columns[this.sorted]?.by;
    if (!by) return this.rows;
    const sign = this.down ? -1 : 1;
    return [...this.rows].sort((one, other) => {
      const [a, b] = [by(one), by(other)];
      // What is not known comes last, whichever way.
      if (a === null || a === undefined) return b === null || b === undefined ? 0 : 1;
      if (b === null || b === undefined) return -1;
      return a < b ? -sign : a > b ? sign : 0;
    });
  }
}

/** @template T @param {Column<T>} column */
function classesOf(column) {
  const classes = [column.figures ? "figures" : "", column.wide ? "wide-only" : ""].filter((one) => one !== "");
  return classes.length === 0 ? null : classes.join(" ");
}

/**
 * A table over a list of the API that has pages: the newest rows, more on demand, all of it as CSV.
 * @template T
 */
export class PagedTable {
  /**
   * @param {TableShape<T>} shape
   * @param {string} path The list's path, without a query.
   * @param {string} field The answer's field that holds the rows.
   * @param {{limit?: number, id: (row: T) => string, onRows?: (rows: T[]) => void}} how
   */
  constructor(shape, path, field, how) {
    this.table = new Table(shape);
    this.path = path;
    this.field = field;
    this.limit = how.limit ?? 20;
    this.id = how.id;
    this.onRows = how.onRows;
    /** @type {string | null} */
    this.cursor = null;
    this.older = /** @type {T[]} */ ([]);
    this.newest = /** @type {T[]} */ ([]);
    this.more = el("button", { type: "button", hidden: true }, "Show older ones");
    this.more.addEventListener("click", () => this.loadOlder());
    this.note = el("span", { class: "quiet", role: "status" });
    this.foot = el("div", { class: "table-foot" }, this.more, this.note, this.csvButton());
    this.element = el("div", {}, this.table.element, this.foot);
  }

  /** Reads the newest rows; what was loaded beyond them stays. */
  async refresh() {
    const answer = await ask(`${this.path}?limit=${this.limit}`);
    const rows = /** @type {T[]} */ (answer[this.field]);
    const known = new Set(rows.map(this.id));
    const dropped = this.newest.filter((row) => !known.has(this.id(row)));
    if (this.older.length > 0) {
      this.older = [...dropped, ...this.older].filter((row) => !known.has(this.id(row)));
    } else {
      this.cursor = answer.next_cursor ?? null;
    }
    this.newest = rows;
    this.draw();
    return rows;
  }

  csvButton() {
    const button = el("button", { type: "button", class: "small csv" }, "CSV");
    button.addEventListener("click", async () => {
      button.disabled = true;
      try {
        await this.save();
      } catch (error) {
        this.note.replaceChildren(trouble(error, "the list as CSV"));
      }
      button.disabled = false;
    });
    return button;
  }

  /** Reads the whole list and hands it to the browser as a file. */
  async save() {
    /** @type {any[]} */
    const rows = [];
    let cursor = "";
    do {
      const answer = await ask(`${this.path}?limit=100${cursor}`);
      rows.push(...answer[this.field]);
      cursor = answer.next_cursor === null ? "" : `&cursor=${encodeURIComponent(answer.next_cursor)}`;
    } while (cursor !== "" && rows.length < ROWS_MAX);
    saveAs(this.path.replace(/^\/v1\//, "").replaceAll(/[^A-Za-z0-9]+/g, "-"), rows);
    this.note.textContent = cursor === "" ? `${rows.length} rows` : `the newest ${rows.length} rows; dwarves export has all`;
  }

  async loadOlder() {
    if (this.cursor === null) return;
    this.more.disabled = true;
    try {
      const answer = await ask(`${this.path}?limit=100&cursor=${encodeURIComponent(this.cursor)}`);
      const known = new Set([...this.newest, ...this.older].map(this.id));
      const rows = /** @type {T[]} */ (answer[this.field]).filter((row) => !known.has(this.id(row)));
      this.older.push(...rows);
      this.cursor = answer.next_cursor ?? null;
      this.note.textContent = `${rows.length} more`;
    } catch (error) {
      this.note.replaceChildren(trouble(error, "older rows"));
    }
    this.more.disabled = false;
    this.draw();
  }

  draw() {
    const rows = [...this.newest, ...this.older];
    this.table.show(rows);
    this.more.hidden = this.cursor === null;
    this.foot.hidden = rows.length === 0;
    this.onRows?.(rows);
  }
}
