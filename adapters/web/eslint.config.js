import js from "@eslint/js";
import globals from "globals";

export default [
  js.configs.recommended,
  {
    languageOptions: { ecmaVersion: 2024, sourceType: "module", globals: globals.browser },
    rules: {
      curly: ["error", "multi-line"],
      eqeqeq: "error",
      "no-alert": "error",
      "no-eval": "error",
      "no-implied-eval": "error",
      "no-new-func": "error",
      "no-shadow-restricted-names": "error",
      "no-var": "error",
      "no-unused-expressions": "error",
      "object-shorthand": "error",
      "prefer-const": "error",
      "prefer-template": "error",
      // What miners typed becomes text, never markup: these are the ways by which it could become markup.
      "no-restricted-properties": [
        "error",
        ...["innerHTML", "outerHTML", "insertAdjacentHTML", "write", "writeln", "srcdoc", "setHTMLUnsafe", "parseHTMLUnsafe"].map((property) => ({ property, message: "text goes in by textContent" })),
      ],
      "no-restricted-globals": ["error", { name: "localStorage", message: "pages keep nothing" }, { name: "DOMParser", message: "text goes in by textContent" }],
    },
  },
];
