// What a screen is told carries a number, an end and a code of this page's own key, so that nothing counts that was said before, that is
// late, or that somebody else made up. The code is checked where the browser can (over TLS, or on the machine itself); older browsers check
// number and end.

import { now } from './clock';

/** This page's session: its id goes with requests, its key checks what comes back. */
export interface Session { id: string; key: string; }

interface Stamp { n: number; until: number; }

interface Wrapped extends Stamp { mac: string; data: string; }

/** What came and was not looked at yet, in the order in which it came. */
interface Waiting { name: string; raw: string; source: EventSource; say: (e: Event) => void; }

/** After what was forged this page is loaded again, with a new session: the server may have been started anew. */
const againMS = 3000;

export class Proofs {
  private last = 0;
  private line: Waiting[] = [];
  private key: CryptoKey | null = null;
  private ready = true;

  constructor(session: Session) {
    const subtle = window.crypto && window.crypto.subtle;
    if (!subtle || typeof TextEncoder === 'undefined') {
      return;
    }
    this.ready = false;
    subtle.importKey('raw', bytes(session.key), { name: 'HMAC', hash: 'SHA-256' }, false, ['verify']).then((key) => {
      this.key = key;
      this.ready = true;
      this.next();
    });
  }

  /** Opens a stream that gives nothing but what is proven, without its proof. Beats say nothing and carry none. */
  open = (address: string): EventSource => {
    const source = new EventSource(address);
    const plain = source.addEventListener.bind(source) as (name: string, say: (e: Event) => void) => void;
    (source as { addEventListener: unknown }).addEventListener = (name: string, say: (e: Event) => void): void => {
      plain(name, name === 'beat' ? say : (e): void => {
        this.line.push({ name: name, raw: (e as MessageEvent).data as string, source: source, say: say });
        if (this.line.length === 1) {
          this.next();
        }
      });
    };
    return source;
  };

  /** Whether a browser without streams may show an answer. */
  polled(stamp: Stamp | undefined): boolean {
    return typeof EventSource !== 'undefined' || !!stamp && this.fresh(stamp);
  }

  /** Whether a number is new and its end not reached; from then on it is old. */
  private fresh(stamp: Stamp): boolean {
    if (!(stamp.n > this.last) || !(now() < stamp.until)) {
      return false;
    }
    this.last = stamp.n;
    return true;
  }

  private next(): void {
    const first = this.line[0];
    if (!first || !this.ready) {
      return;
    }
    let said: Wrapped = { n: 0, until: 0, mac: '', data: '' };
    try {
      said = JSON.parse(first.raw) as Wrapped;
    } catch (_) { /* it is not the server's */ }
    const check = (proven: boolean): void => {
      this.line.shift();
      if (first.source.readyState !== 2) { // nobody has given the stream up meanwhile
        this.judge(first, said, proven);
      }
      this.next();
    };
    if (!this.key) {
      check(typeof said.data === 'string' && said.n > 0);
      return;
    }
    const message = new TextEncoder().encode(first.name + '\n' + said.n + '\n' + said.until + '\n' + said.data);
    window.crypto.subtle.verify('HMAC', this.key, bytes(said.mac), message).then(check, () => { check(false); });
  }

  /** Gives on what is proven and new. What is late or forged ends the stream: a new one begins with the whole hall. */
  private judge(e: Waiting, said: Wrapped, proven: boolean): void {
    if (proven && !(said.n > this.last)) {
      return; // it was heard before
    }
    if (proven && this.fresh(said)) {
      e.say({ type: e.name, data: said.data } as unknown as Event);
      return;
    }
    e.source.close();
    if (e.source.onerror) {
      e.source.onerror({} as Event);
    }
    if (!proven) {
      window.setTimeout(function (): void { window.location.reload(); }, againMS);
    }
  }
}

/** Reads base64; nothing of what is none. */
function bytes(text: string): Uint8Array<ArrayBuffer> {
  let raw = '';
  try {
    raw = window.atob(text);
  } catch (_) { /* nothing */ }
  const out = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) {
    out[i] = raw.charCodeAt(i);
  }
  return out;
}
