// Types, examples and lines for a shell, out of an OpenAPI document.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Api, codesOf, isStream, quoted, tableOf, typeWords } from "../assets/openapi.js";

const api = new Api({
  paths: {
    "/v1/miners/{hotkey}": { get: { parameters: [{ name: "hotkey", in: "path", required: true, schema: { type: "string" } }] } },
    "/v1/events": { get: { responses: { 200: { content: { "text/event-stream": {} } } } } },
    "/v1/work": {
      post: { security: [{ session: [] }, { signature: [] }], requestBody: { content: { "application/json": { schema: { $ref: "#/components/schemas/Submit" } } } } },
    },
  },
  components: {
    schemas: {
      Submit: { type: "object", required: ["shares"], properties: { shares: { type: "array", items: { $ref: "#/components/schemas/Share" } }, worker: { type: ["string", "null"] } } },
      Share: { type: "object", required: ["nonce"], properties: { nonce: { type: "integer", minimum: 0 }, note: { type: "string" } } },
      Either: { oneOf: [{ $ref: "#/components/schemas/Share" }, { type: "string", enum: ["none", "all"] }] },
    },
  },
});

/** @param {string} path */
const route = (path) => {
  const found = api.routes.find((one) => one.path === path);
  assert.ok(found);
  return found;
};

test("types are said in words", () => {
  const { Either } = api.schemas;
  const words = (/** @type {any} */ schema) => typeWords(schema).map((word) => (typeof word === "string" ? word : `<${word.name}>`)).join("");
  assert.equal(words(Either), '<Share> or "none" or "all"');
  assert.equal(words({ type: ["integer", "null"], minimum: 1, maximum: 100 }), "integer or null, 1 to 100");
  assert.equal(words({ type: "array", items: { $ref: "#/components/schemas/Share" }, maxItems: 1000 }), "list of <Share>, at most 1000 of them");
  assert.equal(words({ type: "string", pattern: "^a$" }), "string, like ^a$");
  assert.equal(words({ type: "string", format: "date-time" }), "instant (RFC 3339)");
  assert.equal(words(undefined), "");
});

test("an example has what is needed, and on top what may be", () => {
  assert.deepEqual(api.sample(api.schemas.Submit), { shares: [{ nonce: 0 }], worker: "WORKER" });
  assert.deepEqual(api.sample(api.schemas.Either), { nonce: 0 });
});

test("lines for a shell name what is to be put in, and who is asking", () => {
  const line = (/** @type {string} */ path) => {
    const { method, operation } = route(path);
    return api.curl("http://pool:8080", method, path, operation);
  };
  assert.equal(line("/v1/miners/{hotkey}"), "curl http://pool:8080/v1/miners/HOTKEY");
  assert.equal(line("/v1/events"), "curl -N http://pool:8080/v1/events");
  assert.equal(
    line("/v1/work"),
    `curl -X POST -H 'Authorization: Bearer SESSION_TOKEN' -H 'Content-Type: application/json' -d '{"shares":[{"nonce":0}],"worker":"WORKER"}' http://pool:8080/v1/work`,
  );
  assert.ok(isStream(route("/v1/events").operation));
  assert.equal(quoted("it's"), "'it'\\''s'");
});

test("codes and the table of codes are read out of their texts", () => {
  assert.deepEqual(codesOf({ responses: { default: { description: "Refused; codes: query_invalid, busy" } } }), ["query_invalid", "busy"]);
  assert.deepEqual(codesOf({ responses: {} }), []);
  assert.deepEqual(tableOf("Before.\n\n| code | status |\n|---|---|\n| `a` | 400 |\n\nAfter."), { before: "Before.", rows: [["code", "status"], ["`a`", "400"]], after: "After." });
  assert.deepEqual(tableOf("Nothing."), { before: "Nothing.", rows: [], after: "" });
});
