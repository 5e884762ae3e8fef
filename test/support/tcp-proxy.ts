/**
 * A TCP proxy that a test can break: cut() drops all connections, hang() keeps them open and
 * forwards nothing, swallowReplies() still delivers requests but loses every answer. resume()
 * forwards again, beginning with what was held back.
 */
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';

export type ProxyMode = 'forward' | 'hang' | 'swallow-replies';

/** Starts a proxy on a free port of 127.0.0.1 before `targetPort` of the same. */
export async function startTcpProxy(targetPort: number): Promise<TcpProxy> {
  const server = createServer({ allowHalfOpen: true });
  const proxy = new TcpProxy(server, targetPort);
  await proxy.listen(0);
  return proxy;
}

interface Pair {
  readonly client: Socket;
  readonly upstream: Socket;
  readonly held: { readonly to: Socket; readonly chunk: Buffer }[];
}

export class TcpProxy {
  readonly #server: Server;
  readonly #targetPort: number;
  readonly #pairs = new Set<Pair>();
  #mode: ProxyMode = 'forward';
  #port = 0;
  #repliedBytes = 0;
  #onReply: (repliedBytes: number) => void = () => undefined;

  constructor(server: Server, targetPort: number) {
    this.#server = server;
    this.#targetPort = targetPort;
    server.on('connection', (client) => this.#accept(client));
  }

  async listen(port: number): Promise<void> {
    this.#server.listen(port, '127.0.0.1');
    await once(this.#server, 'listening');
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('no port was given');
    this.#port = address.port;
  }

  get port(): number {
    return this.#port;
  }

  /** As an etcd endpoint. */
  get endpoint(): string {
    return `http://127.0.0.1:${String(this.#port)}`;
  }

  /** How many connections are open now. */
  get connections(): number {
    return this.#pairs.size;
  }

  /** Bytes that went from the server to clients since the start. */
  get repliedBytes(): number {
    return this.#repliedBytes;
  }

  /** Drops every connection at once; new ones are taken. */
  cut(): void {
    for (const pair of this.#pairs) {
      pair.client.destroy();
      pair.upstream.destroy();
    }
    this.#pairs.clear();
  }

  /** Drops every connection once `bytes` more have gone to clients; resolves when it has. */
  cutAfterReplies(bytes: number): Promise<void> {
    const limit = this.#repliedBytes + bytes;
    return new Promise((resolve) => {
      this.#onReply = (repliedBytes) => {
        if (repliedBytes < limit) return;
        this.#onReply = () => undefined;
        this.cut();
        resolve();
      };
    });
  }

  /** Keeps all connections open, takes new ones, and forwards nothing either way. */
  hang(): void {
    this.#mode = 'hang';
  }

  /**
   * Requests reach the server, its answers go nowhere. Connections that lost some are of no use
   * afterwards: cut() them before resume().
   */
  swallowReplies(): void {
    this.#mode = 'swallow-replies';
  }

  /** Forwards again; what hang() held back goes first, swallowed answers stay lost. */
  resume(): void {
    this.#mode = 'forward';
    for (const pair of this.#pairs) {
      for (const { to, chunk } of pair.held.splice(0)) to.write(chunk);
    }
  }

  async close(): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.cut();
    await closed;
  }

  #accept(client: Socket): void {
    const upstream = connect(this.#targetPort, '127.0.0.1');
    const pair: Pair = { client, upstream, held: [] };
    this.#pairs.add(pair);
    client.on('data', (chunk) => this.#forward(pair, upstream, chunk));
    upstream.on('data', (chunk) => {
      if (this.#mode === 'swallow-replies') return;
      this.#forward(pair, client, chunk);
      this.#repliedBytes += chunk.length;
      this.#onReply(this.#repliedBytes);
    });
    const drop = (): void => {
      this.#pairs.delete(pair);
      client.destroy();
      upstream.destroy();
    };
    for (const socket of [client, upstream]) {
      socket.setNoDelay(true);
      socket.on('error', drop);
      socket.on('end', drop);
      socket.on('close', drop);
    }
  }

  #forward(pair: Pair, to: Socket, chunk: Buffer): void {
    if (this.#mode === 'hang') pair.held.push({ to, chunk });
    else to.write(chunk);
  }
}
