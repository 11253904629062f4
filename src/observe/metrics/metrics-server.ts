import { once } from 'node:events';
import { type IncomingMessage, type ServerResponse, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { healthOf, isReady } from '../health.ts';
import { metricsText } from './metrics.ts';
import { LIVE_PAGE_HEADERS, LivePage } from '../page/live-page.ts';
import { PROMETHEUS_CONTENT_TYPE } from './prometheus.ts';
import type { RunRecord } from '../run-record.ts';

/** Where to listen. */
export interface ListenAddress {
  /** 0 for any that is free. */
  readonly port: number;
  /** @default all addresses of the machine */
  readonly host?: string | undefined;
}

export interface MetricsServer {
  /** Where a person finds it: `http://127.0.0.1:9464`. */
  readonly url: string;
  close(): void;
}

/** Who opens more than that, and lets none go, would take the files and connections from the run that it may have open. */
const MOST_CONNECTIONS = 64;

/**
 * Tells over HTTP how runs are: `/`, a live page for a person; `/metrics` for Prometheus; `/health`, 503 when a shard has been quiet for too long or a run has failed; `/ready`,
 * 503 before the first shard of each run is read, as long as `/health` is, and once it stops. Everything is looked up when somebody asks. It keeps no process alive,
 * and ends none: what fails as somebody asks is 500, and of more than 64 connections at a time those that come last are closed.
 *
 * @param now the clock of the runs, which is never set back
 * @param systemNow the one that may be
 * @throws {Error} when it cannot listen there
 */
export async function startMetricsServer(
  { port, host }: ListenAddress,
  records: readonly RunRecord[],
  now: () => number,
  systemNow: () => number,
): Promise<MetricsServer> {
  const page = new LivePage(records);
  const server = createServer((request, response) =>
    send(request, response, answerOr500(request, { records, page, now, systemNow })),
  );
  server.maxConnections = MOST_CONNECTIONS;
  server.unref();
  server.on('connection', (socket) => socket.unref());
  try {
    server.listen(port, host);
    await once(server, 'listening');
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const where = host === undefined ? `port ${port}` : `${inUrl(host)}:${port}`;
    const why = code === 'EADDRINUSE' ? 'another process listens there (EADDRINUSE)' : message;
    throw new Error(`metrics: expected to listen on ${where}, and ${why}`, { cause: error });
  }
  const bound = (server.address() as AddressInfo).port;
  return {
    url: `http://${inUrl(host ?? 'localhost')}:${bound}`,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly text: string;
  readonly headers?: Readonly<Record<string, string>>;
}

interface Asked {
  readonly records: readonly RunRecord[];
  readonly page: LivePage;
  readonly now: () => number;
  readonly systemNow: () => number;
}

function answerOr500(request: IncomingMessage, asked: Asked): Answer {
  try {
    return answerTo(request, asked);
  } catch (error) {
    return { status: 500, type: TEXT, text: `${String(error)}\n` };
  }
}

function answerTo({ method, url = '/' }: IncomingMessage, { records, page, now, systemNow }: Asked): Answer {
  if (method !== 'GET' && method !== 'HEAD') return { status: 405, type: TEXT, text: `${EXPECTED}, got ${method}\n` };
  const path = url.split('?')[0]!;
  if (path === '/') return { status: 200, type: 'text/html; charset=utf-8', text: page.text(now()), headers: LIVE_PAGE_HEADERS };
  // In whole seconds, so that a time that stays is the same in each answer.
  const aheadMs = Math.round((now() - systemNow()) / 1000) * 1000;
  if (path === '/metrics') return { status: 200, type: PROMETHEUS_CONTENT_TYPE, text: metricsText(records, now(), aheadMs) };
  const health = healthOf(records, now());
  if (path === '/health') return jsonAnswer(health.status === 'ok', health);
  const pipelines = health.pipelines.map(({ name, status }) => ({ name, status }));
  if (path === '/ready') return jsonAnswer(isReady(health), { ready: isReady(health), pipelines });
  return { status: 404, type: TEXT, text: `${EXPECTED}, got ${path}\n` };
}

const TEXT = 'text/plain; charset=utf-8';
const EXPECTED = 'expected GET /, /metrics, /health or /ready';

function jsonAnswer(isGood: boolean, body: object): Answer {
  return { status: isGood ? 200 : 503, type: 'application/json', text: `${JSON.stringify(body)}\n` };
}

function send({ method }: IncomingMessage, response: ServerResponse, { status, type, text, headers }: Answer): void {
  const length = Buffer.byteLength(text);
  response.writeHead(status, { 'content-type': type, 'content-length': length, 'cache-control': 'no-store', ...headers });
  response.end(method === 'HEAD' ? undefined : text);
}

function inUrl(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}
