import { readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { constants, gzipSync } from 'node:zlib'
import vue from '@vitejs/plugin-vue'
import { defineConfig, type Plugin } from 'vite'

// The Go handler embeds dist/ and finds the built pages in dist/www; dist itself keeps the committed page for "not built yet".
// They are built elsewhere and put there whole: a Go build that embeds them meanwhile finds the ones before.
const outDir = 'node_modules/.www'
const served = 'dist/www'

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

// Puts what was built in the place of what was there.
function swap(): Plugin {
  const old = `${outDir}.old`
  return {
    name: 'swap',
    apply: 'build',
    closeBundle: {
      order: 'post',
      sequential: true,
      async handler() {
        await rm(old, { recursive: true, force: true })
        await rename(served, old).catch((error: NodeJS.ErrnoException) => {
          if (error.code !== 'ENOENT') throw error // there was nothing yet
        })
        await rename(outDir, served)
        await rm(old, { recursive: true, force: true })
      },
    },
  }
}

export default defineConfig({
  plugins: [vue(), gzipTwins(), swap()],
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
