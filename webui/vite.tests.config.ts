import { readdirSync } from "node:fs";
import { defineConfig } from "vite";

// Bundles each test for `node --test`, so that no test runner needs to be installed.
export default defineConfig({
  build: {
    ssr: true,
    outDir: "node_modules/.tests",
    emptyOutDir: true,
    copyPublicDir: false,
    target: "node20",
    reportCompressedSize: false,
    rolldownOptions: {
      input: Object.fromEntries(
        readdirSync("tests", { recursive: true, encoding: "utf8" })
          .filter((name) => name.endsWith(".test.ts"))
          .map((name) => [name.replaceAll(/[/\\]/g, "-").slice(0, -3), `tests/${name}`]),
      ),
    },
  },
});
