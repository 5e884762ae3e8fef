/**
 * The nginx site that we ship: accepted by a real `nginx -t`, and, in front of stand-in masters,
 * passing streams on as they come, naming the client, and going round a master that is gone.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import {
  createServer,
  get,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import {
  nginxArguments,
  startNginx,
  writeNginxFolder,
  type NginxServer,
} from '../support/nginx-server.ts';
import { findProgram } from '../support/programs.ts';
import { freePort } from '../support/server-process.ts';

const run = promisify(execFile);

test('nginx -t accepts the shipped site, without a warning', async () => {
  const folder = await writeNginxFolder(['127.0.0.1:7301', '127.0.0.1:7302'], await freePort());
  try {
    const { stderr } = await run(findProgram('nginx'), ['-t', ...nginxArguments(folder)]);
    assert.match(stderr, /test is successful/);
    assert.doesNotMatch(stderr, /\[(warn|error|emerg)\]/);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

interface StandIn {
  readonly server: Server;
  readonly address: string;
  /** Headers and method of the requests that came, oldest first. */
  readonly requests: IncomingMessage[];
}

async function startStandIn(answer: RequestListener): Promise<StandIn> {
  const requests: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    if (request.url !== '/livez') requests.push(request);
    answer(request, response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return { server, address: `127.0.0.1:${String(port)}`, requests };
}

function stopStandIn(standIn: StandIn): void {
  standIn.server.close();
  standIn.server.closeAllConnections();
}

describe('the site in front of masters', () => {
  let streaming: StandIn;
  let nginx: NginxServer;
  const unfinished: ServerResponse[] = [];

  before(async () => {
    streaming = await startStandIn((request, response) => {
      if (request.url?.startsWith('/api/v1/stream') === true || request.url === '/unbuffered') {
        response.writeHead(200, {
          'content-type': 'text/event-stream',
          ...(request.url === '/unbuffered' ? { 'x-accel-buffering': 'no' } : {}),
        });
        response.write('data: first\n\n');
        unfinished.push(response);
        return;
      }
      request.resume();
      request.once('end', () => response.end('ok'));
    });
    nginx = await startNginx({ masters: [streaming.address] });
  });

  after(async () => {
    await nginx.stop();
    stopStandIn(streaming);
  });

  for (const path of ['/api/v1/stream', '/unbuffered']) {
    test(`${path} passes the first part on while the second is not written yet`, async () => {
      const response = await open(`${nginx.url}${path}`);
      const chunks = response.setEncoding('utf8').iterator();
      const first = await chunks.next();
      assert.equal(first.value, 'data: first\n\n');
      unfinished.pop()?.end('data: second\n\n');
      const second = await chunks.next();
      assert.equal(second.value, 'data: second\n\n');
    });
  }

  test('masters learn who asks, by which host and scheme, under which request id', async () => {
    await (await fetch(`${nginx.url}/api/v1/jobs`)).text();
    const headers = streaming.requests.at(-1)?.headers;
    assert.equal(headers?.['x-forwarded-for'], '127.0.0.1');
    assert.equal(headers?.['x-forwarded-proto'], 'http');
    assert.equal(headers?.['x-forwarded-host'], new URL(nginx.url).host);
    assert.equal(headers?.host, new URL(nginx.url).host);
    assert.match(String(headers?.['x-request-id']), /^[0-9a-f]{32}$/);
  });

  test('a body over 1 MiB is refused before it reaches a master', async () => {
    const sentBefore = streaming.requests.length;
    const answer = await fetch(`${nginx.url}/api/v1/jobs/x`, {
      method: 'PUT',
      body: 'x'.repeat(1024 * 1024 + 1),
    });
    await answer.text();
    assert.equal(answer.status, 413);
    assert.equal(streaming.requests.length, sentBefore);
  });
});

describe('a master that is gone', () => {
  test('reads go on with the other one, without an error', async () => {
    const first = await startStandIn((_, response) => response.end('first'));
    const second = await startStandIn((_, response) => response.end('second'));
    const nginx = await startNginx({ masters: [first.address, `http://${second.address}/`] });
    try {
      const seen = new Set<string>();
      for (let count = 0; count < 10; count += 1) {
        seen.add(await (await fetch(`${nginx.url}/api/v1/jobs`)).text());
      }
      assert.deepEqual([...seen].toSorted(), ['first', 'second']);
      stopStandIn(first);
      for (let count = 0; count < 10; count += 1) {
        const answer = await fetch(`${nginx.url}/api/v1/jobs`);
        assert.equal(answer.status, 200);
        assert.equal(await answer.text(), 'second');
      }
    } finally {
      await nginx.stop();
      stopStandIn(first);
      stopStandIn(second);
    }
  });

  test('a POST that was sent to it is not sent to another', async () => {
    const broken = await startStandIn((request, response) => {
      request.resume();
      if (request.url === '/livez') {
        response.end('ok');
        return;
      }
      request.once('end', () => request.socket.destroy());
    });
    const other = await startStandIn((request, response) => {
      request.resume();
      request.once('end', () => response.end('ok'));
    });
    const nginx = await startNginx({ masters: [broken.address, other.address] });
    try {
      // Round and round until the broken one has had one: it then counts as failed for a while.
      while (broken.requests.length === 0) {
        const answer = await fetch(`${nginx.url}/api/v1/jobs/x/runs`, {
          method: 'POST',
          body: '{}',
        });
        await answer.text();
        assert.equal(answer.status, broken.requests.length === 0 ? 200 : 502);
      }
      assert.equal(broken.requests[0]?.method, 'POST');
    } finally {
      await nginx.stop();
      stopStandIn(broken);
      stopStandIn(other);
    }
  });
});

function open(url: string): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    get(url, resolve).once('error', reject);
  });
}
