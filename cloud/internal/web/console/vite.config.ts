import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { constants, gzipSync } from 'node:zlib'
import vue from '@vitejs/plugin-vue'
import { defineConfig, type Plugin } from 'vite'

// The Go handler embeds dist/ and finds the built pages in dist/www; dist itself keeps the committed page for "not built yet".
const outDir = 'dist/www'

// A gzip twin beside each text file lets the Go handler answer without compressing anything itself.
function gzipTwins(): Plugin {
  return {
    name: 'gzip-twins',
    apply: 'build',
    async closeBundle() {
      for (const entry of await readdir(outDir, { recursive: true, withFileTypes: true })) {
        if (!entry.isFile() || !/\.(js|css|html|svg)$/.test(entry.name)) continue
        const path = join(entry.parentPath, entry.name)
        const raw = await readFile(path)
        const zipped = gzipSync(raw, { level: constants.Z_BEST_COMPRESSION })
        if (zipped.length < raw.length) await writeFile(`${path}.gz`, zipped)
      }
    },
  }
}

export default defineConfig({
  plugins: [vue(), gzipTwins()],
  resolve: { alias: { '@': fileURLToPath(new URL('src', import.meta.url)) } },
  build: {
    outDir,
    emptyOutDir: true,
    target: 'es2022',
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0, // the content security policy has no data: for scripts and styles
    // Two long-lived files, libraries and ours, instead of dozens of crumbs.
    rolldownOptions: {
      output: {
        codeSplitting: {
          groups: [
            { name: 'libraries', test: /node_modules/ },
            { name: 'console', test: /src/ },
          ],
        },
      },
    },
  },
  server: {
    // `npm run dev` shows the sources with the API of a running hall-cloud.
    proxy: Object.fromEntries(
      ['/api', '/whep'].map((path) => [path, process.env.HALL_CLOUD_URL ?? 'http://127.0.0.1:9090']),
    ),
  },
})
