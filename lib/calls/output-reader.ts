import { GridError } from '../errors/index.js';
import type { Inbound } from '../mux/index.js';
import { unreadableAnswer } from './call-error.js';
import { MessageReader } from './message-reader.js';

/** The call whose messages are read. */
export interface OutputReaderPorts {
  decode(payload: Uint8Array): unknown;
  /** The error as the reader gets it. */
  named(error: GridError): GridError;
  /** The reader has gone before the end, with the error where it was one that ended the reading. */
  onLeft(error: GridError | undefined): void;
}

/** The handler's messages, as the caller reads them. */
export class OutputReader extends MessageReader {
  constructor(
    output: Inbound,
    private readonly ports: OutputReaderPorts,
  ) {
    super(output);
  }

  protected decode(payload: Uint8Array): unknown {
    return this.ports.decode(payload);
  }

  protected named(error: GridError): GridError {
    return this.ports.named(error);
  }

  protected broken(thrown: unknown): GridError {
    return unreadableAnswer(thrown);
  }

  protected onLeave(error: GridError | undefined): void {
    this.ports.onLeft(error);
  }
}

/** The same for a Readable, whose end a message of `null` would be. */
export class ReadableReader extends OutputReader {
  protected override decode(payload: Uint8Array): unknown {
    const message = super.decode(payload);
    if (message !== null) return message;
    const text = 'a message is null, which a Readable takes for its end: read it by for await or toObservable()';
    throw new GridError('INTERNAL', text);
  }
}
