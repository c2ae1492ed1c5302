// The calls that people have not seen yet. Each is shown large for long enough to be read, however quickly they follow each other.

import { Call, Hall } from '../lib/hall';

/** A call stays large for this long, less when others wait behind it. */
const largeMS = 6000;
const largeBusyMS = 3000;
const largeCrowdMS = 2000;
/** So many behind a call are a crowd. */
const crowd = 6;
/** A call that was made longer ago, while the screen was off or cut off, is no news. */
const newsMS = 60 * 1000;
/** A flood: only the newest are still news. */
const mostWaiting = 30;

export class News {
  /** The call that is large now. */
  large: Call | null = null;
  private known: { [key: string]: boolean } | null = null; // null before the first state
  private line: Call[] = [];
  private until = 0;

  /** Takes what a state of the hall has that no earlier one had. nowMS is the hall's time. */
  take(hall: Hall, nowMS: number): void {
    const seen: { [key: string]: boolean } = {};
    for (let i = hall.calls.length - 1; i >= 0; i--) { // oldest first
      const c = hall.calls[i];
      seen[keyOf(c)] = true;
      if (this.known && !this.known[keyOf(c)] && nowMS - Date.parse(c.at) < newsMS) {
        this.push(c);
      }
    }
    this.known = seen;
  }

  /** A call that is repeated while it still waits to be shown is shown once. */
  private push(c: Call): void {
    const rest: Call[] = [];
    for (let i = 0; i < this.line.length; i++) {
      if (this.line[i].number !== c.number) {
        rest.push(this.line[i]);
      }
    }
    rest.push(c);
    this.line = rest.slice(Math.max(0, rest.length - mostWaiting));
  }

  /** Goes on to the next call when the present one has had its time; gives whether it did. */
  step(at: number): boolean {
    if (this.line.length === 0) {
      return false;
    }
    const busy = this.line.length > crowd ? largeCrowdMS : largeBusyMS;
    if (this.large && this.holds(at)) {
      this.until = Math.min(this.until, at + busy);
      return false;
    }
    this.large = this.line.shift() as Call;
    this.until = at + (this.line.length > 0 ? busy : largeMS);
    return true;
  }

  /** Whether the large call has time left. A clock that was put back must not keep it there for hours. */
  private holds(at: number): boolean {
    return at < this.until && this.until - at <= largeMS;
  }

  /** With no news left the newest call stands there, quietly; gives whether it is another one. */
  rest(newest: Call | null, at: number): boolean {
    if (this.line.length > 0 || this.large && newest && (this.holds(at) || keyOf(this.large) === keyOf(newest))) {
      return false;
    }
    const changed = this.large !== newest;
    this.large = newest;
    return changed;
  }
}

/** What tells one call from another: a repeated call is another one. */
export function keyOf(c: Call): string {
  return c.number + '/' + c.window + '/' + c.times + '/' + c.at;
}
