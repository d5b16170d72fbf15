/** Runs steps one after the other and says of each whether it held. */
export class Checklist {
  private failed: string | undefined = undefined;

  constructor(private readonly say: (line: string) => void) {}

  /** The step that did not hold. */
  get failure(): string | undefined {
    return this.failed;
  }

  /** `step` resolves with what it found; it throws when the promise does not hold, and no later step is run. */
  async prove(promise: string, step: () => Promise<string>): Promise<void> {
    if (this.failed !== undefined) return;
    const startedAt = performance.now();
    const seconds = (): string => `${((performance.now() - startedAt) / 1000).toFixed(1)} s`;
    try {
      const found = await step();
      this.say(`  ✔ ${promise}: ${found} (${seconds()})`);
    } catch (error) {
      this.failed = promise;
      this.say(`  ✖ ${promise}: ${(error as Error).message} (${seconds()})`);
    }
  }

  /** Cleans up whatever was found, and says how it all ended. Resolves with whether every step held, this one too. */
  async conclude(promise: string, cleanUp: () => Promise<void>): Promise<boolean> {
    try {
      await cleanUp();
    } catch (error) {
      this.failed ??= promise;
      this.say(`  ✖ ${promise}: ${(error as Error).message}`);
    }
    this.say(this.failed === undefined ? '\nevery step held' : `\nfailed: ${this.failed}`);
    return this.failed === undefined;
  }
}
