import { Deadline } from '../time/index.js';

/** The deadline of a stream, made only for one that has any: the stream itself is a link in a rota. */
export class StreamDeadline extends Deadline {
  constructor(private readonly stream: { deadlinePassed(): void }) {
    super();
  }

  onDue(): void {
    this.stream.deadlinePassed();
  }
}
