/** Build ../static/panel.js and ../static/panel.css from these modules: `npm run build`. */

import { build } from "esbuild";

const target = process.argv[2] ?? "../static";
await build({
  entryPoints: { panel: "main.js" },
  bundle: true,
  format: "esm",
  minify: true,
  charset: "utf8",
  legalComments: "none",
  target: ["es2022"],
  outdir: target,
});
await build({ entryPoints: ["panel.css"], minify: true, charset: "utf8", target: ["chrome120", "firefox120", "safari17"], outdir: target });
