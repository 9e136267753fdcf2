import js from "@eslint/js";
import globals from "globals";

export default [
  js.configs.recommended,
  {
    languageOptions: { ecmaVersion: 2023, sourceType: "module", globals: { ...globals.browser, process: "readonly" } },
    rules: {
      eqeqeq: "error",
      "no-eval": "error",
      "no-implied-eval": "error",
      "no-new-func": "error",
      "no-var": "error",
      "prefer-const": "error",
      // Text reaches the page as text nodes and attributes only, whatever a name holds.
      "no-restricted-properties": ["error", ...["innerHTML", "outerHTML", "insertAdjacentHTML", "write", "dangerouslySetInnerHTML"].map((property) => ({ property }))],
      "no-restricted-syntax": ["error", "Property[key.name='dangerouslySetInnerHTML']"],
    },
  },
];
