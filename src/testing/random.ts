/** Chance that can be repeated: the same seed makes the same choices. */
export class Random {
  constructor(private state: number) {}

  /** A number from 0 up to, but not, below. Mulberry32 by Tommy Ettinger, public domain. */
  below(limit: number): number {
    this.state = (this.state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % limit;
  }

  pick<T>(of: readonly T[]): T {
    return of[this.below(of.length)];
  }

  /** A list of up to max things. */
  some<T>(max: number, make: () => T): T[] {
    return Array.from({ length: this.below(max + 1) }, make);
  }
}
