// Lists as CSV.

import assert from "node:assert/strict";
import { test } from "node:test";

import { toCsv } from "../assets/csv.js";

test("rows become lines, with the fields of all of them in the head", () => {
  const rows = [{ id: 1, amount_sats: -5, at: "2026-11-28T00:00:00Z", blocks: ["a", "b"] }, { id: 18446744073709551615n, note: null, fields: { dry_run: true } }];
  assert.equal(toCsv(rows), "id,amount_sats,at,blocks,note,fields.dry_run\r\n1,-5,2026-11-28T00:00:00Z,a b,,\r\n18446744073709551615,,,,,true\r\n");
});

test("nothing that others typed is a formula, and quotes hold", () => {
  for (const [text, written] of /** @type {[string, string][]} */ ([
    ["=1+1", "'=1+1"],
    ["+1", "'+1"],
    ["-x", "'-x"],
    ["@a", "'@a"],
    ["\tx", "'\tx"],
    ['=HYPERLINK("a","b")', `"'=HYPERLINK(""a"",""b"")"`],
    ["a,b", '"a,b"'],
    ["a\r\nb", '"a\r\nb"'],
    ["-0.5", "-0.5"],
    ["plain", "plain"],
  ])) {
    assert.equal(toCsv([{ text }]), `text\r\n${written}\r\n`);
  }
  assert.equal(toCsv([]), "\r\n");
});
