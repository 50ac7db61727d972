// Numbers, money and times as people read them.

import assert from "node:assert/strict";
import { test } from "node:test";

import { coins, count, useUnit, difficulty, duration, hashrate, percent, relative, scaled, shortened, significant, utcTime, hashesOf, often } from "../assets/format.js";

test("hashrates scale from H to YH and never show four digits", () => {
  for (const [rate, text] of /** @type {[number, string][]} */ ([
    [0, "0 H/s"],
    [1, "1 H/s"],
    [0.5, "0.50 H/s"],
    [999, "999 H/s"],
    [999.9, "1.00 kH/s"],
    [1000, "1.00 kH/s"],
    [140_540, "141 kH/s"],
    [14_054, "14.1 kH/s"],
    [1.5e12, "1.50 TH/s"],
    [999.99e18, "1.00 ZH/s"],
    [1e21, "1.00 ZH/s"],
    [2.5e24, "2.50 YH/s"],
    [5e27, "5000 YH/s"],
    [NaN, "–"],
  ])) {
    assert.equal(hashrate(rate), text);
  }
  assert.equal(scaled(12_345, ""), "12.3 k");
});

test("amounts have the decimal places of the pool's own unit", () => {
  try {
    useUnit("TAO", 9);
    assert.equal(coins(1_500_000_000), "1.500000000");
    assert.equal(coins(-7), "−0.000000007");
    useUnit("POINTS", 0);
    assert.equal(coins(1234), count(1234n));
  } finally {
    useUnit("coins", 8);
  }
});

test("sats are coins, exactly, whatever their number", () => {
  for (const [sats, text] of /** @type {[number | bigint | string, string][]} */ ([
    [0, "0.00000000"],
    [1, "0.00000001"],
    [5_000_000_000, "50.00000000"],
    [123_456_789_012, "1,234.56789012"],
    [-1, "−0.00000001"],
    ["14000000000000000001", "140,000,000,000.00000001"],
    [2n ** 64n, "184,467,440,737.09551616"],
  ])) {
    assert.equal(coins(sats), text);
  }
});

test("durations have two units at most", () => {
  for (const [secs, text] of /** @type {[number, string][]} */ ([
    [0, "0 s"],
    [59.6, "1 min"],
    [61, "1 min 1 s"],
    [3600, "1 h"],
    [5400, "1 h 30 min"],
    [86_399, "1 d"],
    [90_000, "1 d 1 h"],
    [1e12, "31,700 years"],
    [-5, "0 s"],
  ])) {
    assert.equal(duration(secs), text);
  }
  const now = new Date("2026-11-28T12:00:00Z");
  assert.equal(relative(new Date("2026-11-28T11:59:00Z"), now), "1 min ago");
  assert.equal(relative(new Date("2026-11-28T12:00:10Z"), now), "in 10 s");
  assert.equal(relative(now, now), "now");
  assert.equal(often(0.4), "2.5 a second");
  assert.equal(often(90), "every 1 min 30 s or so");
  assert.equal(utcTime(now), "2026-11-28 12:00:00 UTC");
});

test("small numbers keep their digits", () => {
  assert.equal(significant(0.000001234), "0.00000123");
  assert.equal(significant(1e-9), "0.000000001");
  assert.equal(significant(1.2345e-13), "1.23 × 10^−13");
  assert.equal(difficulty(5e-7), "0.0000005");
  assert.equal(hashesOf(1), "one in 4.29 G hashes");
  assert.equal(hashesOf(5e-8), "one in 215 hashes");
  assert.equal(hashesOf(1e-10), "every hash");
  assert.equal(significant(-0), "0");
  assert.equal(difficulty(0.0003492462), "0.0003492");
  assert.equal(difficulty(1024), "1.02 k");
  assert.equal(difficulty(110e12), "110 T");
  assert.equal(percent(0.8923), "89.2 %");
  assert.equal(percent(Infinity), "–");
  assert.equal(shortened("5GNQveebpkmAAUQMp5jrBR2AG7pRwxqzFd8CHjfBGfYaypGt"), "5GNQveeb…YaypGt");
  assert.equal(shortened("short"), "short");
});
