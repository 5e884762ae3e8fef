/**
 * Preloaded into a master that is measured: a koa server of its own in the same process that answers
 * `/<n>` with n bytes of JSON text and does nothing else, so that what our routes cost stands beside
 * what the process, koa and the loop cost anyway. It says on stderr where it listens.
 */
import type { AddressInfo } from 'node:net';
import Koa from 'koa';

const app = new Koa();
app.use((context) => {
  const bytes = Number(context.path.slice(1));
  context.type = 'application/json; charset=utf-8';
  context.body = `"${'x'.repeat(Math.max(0, bytes - 2))}"`;
});
const server = app.listen(0, '127.0.0.1', () => {
  const { port } = server.address() as AddressInfo;
  process.stderr.write(`bare route on http://127.0.0.1:${port}\n`);
});
server.unref();
