import { Agent, type IncomingMessage, type ServerResponse, createServer, request as ask } from 'node:http';
import type { Server } from 'node:net';
import { ANSWERS, type FaultyAnswer, operationOf } from './http-answers.ts';
import type { Fault, FaultPlan } from './plan.ts';

/**
 * Passes HTTP/1.1 on, headers and all as they came: a signature covers Host as well.
 *
 * @returns the server, not listening yet, and what ends all that it has open upstream
 */
export function httpProxy(target: URL, plan: FaultPlan): { readonly server: Server; readonly close: () => void } {
  const agent = new Agent({ keepAlive: true });
  const server = createServer({ keepAliveTimeout: 0, requestTimeout: 0 }, (request, response) => {
    const fault = plan.next(operationOf(request));
    void serve(request, response, fault);
  });
  return {
    server,
    close() {
      server.closeAllConnections();
      agent.destroy();
    },
  };

  async function serve(request: IncomingMessage, response: ServerResponse, fault: Fault | undefined): Promise<void> {
    const faulty = fault && ANSWERS[fault.kind];
    if (fault && faulty) {
      plan.count(fault);
      if (faulty.hasEffect) return forward(request, response, (answer) => sayAfter(answer, response, faulty));
      return sayAfter(request, response, faulty);
    }
    switch (fault?.kind) {
      case 'delay':
        plan.count(fault);
        await plan.wait(fault);
        return forward(request, response, (answer) => pass(answer, response));
      case 'silence':
        plan.count(fault);
        return forward(request, response, (answer) => answer.resume());
      case 'drop-answer':
        return forward(request, response, (answer) => answer.resume().on('end', () => reset(request, fault)));
      case 'reset-answer':
        return forward(request, response, (answer) => {
          response.writeHead(answer.statusCode!, answer.statusMessage, answer.rawHeaders);
          cut(
            answer,
            fault,
            (chunk, then) => response.write(chunk, then),
            () => reset(request, fault),
          );
        });
      case 'reset-request': {
        const upstream = connect(request, response, (answer) => pass(answer, response));
        const end = (): void => {
          upstream.destroy();
          reset(request, fault);
        };
        return cut(request, fault, (chunk, then) => upstream.write(chunk, then), end);
      }
      case 'late':
        return late(request, response, fault);
      default:
        forward(request, response, (answer) => pass(answer, response));
    }
  }

  function reset(request: IncomingMessage, fault: Fault): void {
    if (!request.socket.destroyed) plan.count(fault);
    request.socket.resetAndDestroy();
  }

  function connect(request: IncomingMessage, response: ServerResponse, onAnswer: (answer: IncomingMessage) => void) {
    const { method, url: path, rawHeaders: headers } = request;
    const upstream = ask({ agent, host: target.hostname, port: target.port, method, path, headers, setHost: false });
    upstream.on('response', onAnswer).on('error', () => request.socket.destroy());
    response.on('close', () => response.writableFinished || upstream.destroy());
    return upstream;
  }

  function forward(request: IncomingMessage, response: ServerResponse, onAnswer: (answer: IncomingMessage) => void): void {
    request.pipe(connect(request, response, onAnswer));
  }

  /** Keeps back the last piece of a request until the client is long gone. */
  function late(request: IncomingMessage, response: ServerResponse, fault: Fault): void {
    const { method, url: path, rawHeaders: headers } = request;
    const upstream = ask({ agent, host: target.hostname, port: target.port, method, path, headers, setHost: false });
    upstream.on('response', (answer) => answer.resume()).on('error', () => {});
    let last: Buffer | undefined;
    request.on('data', (chunk: Buffer) => {
      if (last) upstream.write(last);
      last = chunk;
    });
    request.on('end', () => {
      reset(request, fault);
      void plan.wait(fault).then(() => upstream.end(last));
    });
    response.on('close', () => request.complete || upstream.destroy());
  }
}

function pass(answer: IncomingMessage, response: ServerResponse): void {
  response.writeHead(answer.statusCode!, answer.statusMessage, answer.rawHeaders);
  answer.on('error', () => response.destroy());
  answer.pipe(response);
}

/** Says something else, once a body has come whole. */
function sayAfter(body: IncomingMessage, response: ServerResponse, { status, headers, body: says }: FaultyAnswer): void {
  body.resume().on('end', () => {
    const isHead = response.req.method === 'HEAD';
    response.writeHead(status, { ...headers, 'content-length': String(Buffer.byteLength(says)) }).end(isHead ? '' : says);
  });
}

/** Passes the beginning of a body on; `end` comes after so many bytes, and before the last one. */
function cut(
  body: IncomingMessage,
  { bytes = 0 }: Fault,
  write: (chunk: Buffer, then: () => void) => void,
  end: () => void,
): void {
  const length = Number(body.headers['content-length'] ?? Number.POSITIVE_INFINITY);
  let left = Math.max(0, Math.min(bytes, length - 1));
  let isOver = false;
  const over = (): void => {
    if (isOver) return;
    isOver = true;
    end();
  };
  if (left === 0) return over();
  body.on('data', (chunk: Buffer) => {
    if (left === 0) return;
    const part = chunk.subarray(0, left);
    left -= part.length;
    body.pause();
    write(part, () => (left === 0 ? over() : body.resume()));
  });
  body.on('end', over);
}
