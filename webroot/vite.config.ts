/**
 * Builds the console into webroot/dist. Nothing is inlined: the master serves it under
 * `default-src 'self'`, which allows neither inline scripts nor data: URLs. In development,
 * `npx vite webroot` serves it with the API of a master on the default port.
 */
import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

export default defineConfig({
  plugins: [react()],
  build: {
    outDir: 'dist',
    emptyOutDir: true,
    target: ['chrome123', 'edge123', 'firefox128', 'safari17.5'],
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
  server: {
    proxy: {
      '/api': 'http://127.0.0.1:8090',
      '^/cells/[^/]+/api/': 'http://127.0.0.1:8090',
    },
  },
});
