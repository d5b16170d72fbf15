import type { Deadline } from '../time/index.js';

/** The deadline of a stream, made only for one that has any: the stream itself is a link in a rota. */
export class StreamDeadline implements Deadline {
  // the deadline wheel's
  dueAt = 0;
  slot = -1;
  before: Deadline | undefined = undefined;
  after: Deadline | undefined = undefined;

  constructor(private readonly stream: { deadlinePassed(): void }) {}

  onDue(): void {
    this.stream.deadlinePassed();
  }
}
