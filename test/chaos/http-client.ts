import { createHash } from 'node:crypto';
import { Agent, request, type IncomingMessage } from 'node:http';

export interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  /** What was read of the body: all of it, or the call would have failed. */
  readonly text: string;
  readonly sha256: string;
  readonly size: number;
}

export interface Ask {
  readonly url: string;
  readonly method: 'GET' | 'PUT' | 'DELETE' | 'POST' | 'HEAD';
  readonly withinMs: number;
  /** Sent as it comes; what it throws cuts the request. */
  readonly body?: Iterable<Uint8Array> | AsyncIterable<Uint8Array>;
  /** Leave the answer after so many bytes, as a client does that went away. */
  readonly leaveAfter?: number;
}

/** Longest text that is kept of an answer; longer ones are only hashed. */
const TEXT_BYTES = 4 * 1024 * 1024;

/** HTTP as plain as can be: nothing is tried again, and an answer that was cut is an error. */
export class HttpClient {
  private readonly agent = new Agent({ keepAlive: true, maxSockets: Infinity });

  /** Any status is an answer. Rejects when there is none in time, or none that is whole. */
  async ask({ url, method, withinMs, body, leaveAfter }: Ask): Promise<Answer> {
    const signal = AbortSignal.timeout(withinMs);
    const sent = request(url, { method, agent: this.agent, signal });
    const answered = new Promise<IncomingMessage>((resolve, reject) => {
      sent.once('response', resolve);
      sent.once('error', reject);
      sent.once('close', () => reject(new Error('closed without an answer')));
    });
    // later errors belong to the answer, which tells them too
    sent.on('error', () => undefined);
    void this.send(sent, body);
    const answer = await answered;
    const hash = createHash('sha256');
    const texts: Buffer[] = [];
    let size = 0;
    for await (const chunk of answer as AsyncIterable<Buffer>) {
      hash.update(chunk);
      size += chunk.length;
      if (size <= TEXT_BYTES) texts.push(chunk);
      if (leaveAfter !== undefined && size >= leaveAfter) throw new Error('left');
    }
    if (!answer.complete) throw new Error('the answer was cut');
    const text = Buffer.concat(texts).toString();
    return { status: answer.statusCode ?? 0, headers: answer.headers, text, sha256: hash.digest('hex'), size };
  }

  /** Closes the connections that wait for another call. */
  close(): void {
    this.agent.destroy();
  }

  private async send(sent: ReturnType<typeof request>, body: Ask['body']): Promise<void> {
    let goOn: (() => void) | undefined;
    for (const event of ['drain', 'close']) sent.on(event, () => goOn?.());
    try {
      for await (const chunk of body ?? []) {
        if (sent.destroyed) return;
        if (!sent.write(chunk)) await new Promise<void>((resolve) => (goOn = resolve));
      }
      sent.end();
    } catch (error) {
      sent.destroy(error as Error);
    }
  }
}
