import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

// Everything the page needs comes from the node itself: no inlined data, no inline script, no foreign address.
export default defineConfig({
  plugins: [react()],
  build: {
    outDir: "../src/thorp/web/static",
    emptyOutDir: true,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    target: "es2022",
    reportCompressedSize: false,
  },
});
