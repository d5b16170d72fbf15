/** Lets those that want the same thing have it one after the other. */
export class Turns {
  /** The last one in each line. */
  private readonly lines = new Map<string, Promise<unknown>>();

  /** Runs `work` when all that came before it for the same `key` have ended, well or not. */
  async alone<T>(key: string, work: () => Promise<T>): Promise<T> {
    const before = this.lines.get(key);
    const turn = before === undefined ? work() : before.then(work, work);
    this.lines.set(key, turn);
    try {
      return await turn;
    } finally {
      if (this.lines.get(key) === turn) this.lines.delete(key);
    }
  }
}
