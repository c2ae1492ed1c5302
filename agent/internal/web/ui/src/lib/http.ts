// Requests to the hall's server. Old browsers have no fetch, so this is XMLHttpRequest.

/** What the server says when it refuses; status 0 means that it was not reached. */
export interface Problem {
  status: number;
  code: string;
  title: string;
  detail: string;
  advice?: string;
  state?: string;
}

export interface Request {
  method: 'GET' | 'POST';
  path: string;
  as: string; // the page whose cookie counts
  token?: string; // instead of a cookie: the token of a ticket
  body?: unknown;
  picture?: Blob; // instead of a body
  key?: string; // Idempotency-Key
  timeoutMS?: number;
}

export type Done<T> = (problem: Problem | null, answer: T | null, sent: XMLHttpRequest) => void;

const unreachable: Problem = {
  status: 0, code: 'unreachable', title: '连接中断', detail: '暂时连不上大厅服务器。', advice: '正在重试，请稍候。'
};

export function request<T>(r: Request, done: Done<T>): XMLHttpRequest {
  const xhr = new XMLHttpRequest();
  let path = r.path;
  if (!r.token) {
    path += (path.indexOf('?') < 0 ? '?' : '&') + 'as=' + encodeURIComponent(r.as);
  }
  xhr.open(r.method, path, true);
  xhr.timeout = r.timeoutMS || 12000;
  if (r.token) {
    xhr.setRequestHeader('Authorization', 'Bearer ' + r.token);
  }
  if (r.key) {
    xhr.setRequestHeader('Idempotency-Key', r.key);
  }
  if (r.body !== undefined) {
    xhr.setRequestHeader('Content-Type', 'application/json');
  }
  let over = false;
  const finish = function (problem: Problem | null, answer: T | null): void {
    if (!over) {
      over = true;
      done(problem, answer, xhr);
    }
  };
  xhr.onload = function (): void {
    const said = parse(xhr.responseText);
    if (xhr.status >= 200 && xhr.status < 300) {
      finish(null, said as T);
      return;
    }
    const problem = said as Problem | null;
    finish(problem && problem.code ? problem : { status: xhr.status, code: 'http_' + xhr.status, title: '出错了', detail: '服务器没有正常答复。' }, null);
  };
  xhr.onerror = xhr.ontimeout = function (): void {
    finish(unreachable, null);
  };
  xhr.send(r.picture || (r.body === undefined ? null : JSON.stringify(r.body)));
  return xhr;
}

function parse(raw: string): unknown {
  try {
    return JSON.parse(raw);
  } catch (_) {
    return null;
  }
}

/**
 * Sends a command until it is answered: when the server is not reached, or has no time, the same command goes again under the
 * same key, so that it happens once. It gives up after patienceMS.
 */
export function command<T>(r: Request, patienceMS: number, done: Done<T>): void {
  const key = r.key || newKey();
  const until = Date.now() + patienceMS;
  const again = function (): void {
    request<T>({ method: 'POST', path: r.path, as: r.as, token: r.token, body: r.body === undefined ? {} : r.body, key: key, timeoutMS: r.timeoutMS },
      function (problem, answer, sent): void {
        if (passing(problem) && Date.now() < until) {
          window.setTimeout(again, 700);
          return;
        }
        done(problem, answer, sent);
      });
  };
  again();
}

/** Reports whether a command has no answer yet: whether it was done is not known. */
function passing(problem: Problem | null): boolean {
  return !!problem && (problem.status === 0 || problem.status === 429 || problem.status === 503 || problem.status === 502);
}

/** Keys of commands that were not answered: the same press again goes under the same key, so that both together happen once. */
export interface Keys {
  of: (r: Request) => string;
  /** Ends a command: a real answer needs its key no more. */
  answered: (r: Request, problem: Problem | null) => void;
  /** Something has changed: the next press, though it looks the same, is another command. */
  forget: () => void;
}

/** Keeps keys for so long as the same person may still press again because no answer came. */
export function keepKeys(againMS: number): Keys {
  let kept: { [asked: string]: { key: string; at: number } } = {};
  const asked = function (r: Request): string {
    return r.path + ' ' + JSON.stringify(r.body);
  };
  return {
    of: function (r: Request): string {
      const old = kept[asked(r)];
      const key = old && Date.now() - old.at < againMS ? old.key : newKey();
      kept[asked(r)] = { key: key, at: Date.now() };
      return key;
    },
    answered: function (r: Request, problem: Problem | null): void {
      const old = kept[asked(r)];
      if (!passing(problem)) {
        delete kept[asked(r)];
      } else if (old) {
        old.at = Date.now();
      }
    },
    forget: function (): void { kept = {}; }
  };
}

/** Sends a command from a page that goes away: nobody is left to hear the answer. Browsers that let a request outlive its page are asked
 * to; the older ones wait for it. */
export function farewell(r: Request): void {
  const path = r.path + '?as=' + encodeURIComponent(r.as);
  const headers: { [name: string]: string } = { 'Content-Type': 'application/json', 'Idempotency-Key': r.key || newKey() };
  const body = JSON.stringify(r.body === undefined ? {} : r.body);
  const known = (window as unknown as { Request?: { prototype: object } }).Request;
  if (known && 'keepalive' in known.prototype) {
    window.fetch(path, { method: r.method, keepalive: true, credentials: 'same-origin', headers: headers, body: body })
      .then(undefined, function (): void { /* nobody can be told */ });
    return;
  }
  const xhr = new XMLHttpRequest();
  xhr.open(r.method, path, false);
  for (const name in headers) {
    xhr.setRequestHeader(name, headers[name]);
  }
  xhr.send(body);
}

/** A key that no other command has. */
export function newKey(): string {
  const bytes = (window.crypto || (window as unknown as { msCrypto: Crypto }).msCrypto).getRandomValues(new Uint8Array(16));
  let out = Date.now().toString(36) + '-';
  for (let i = 0; i < bytes.length; i++) {
    out += ('0' + bytes[i].toString(16)).slice(-2);
  }
  return out;
}

/** What to tell a person about a problem: the sentence and what to do. */
export function sentence(p: Problem): string {
  return (p.detail || p.title) + (p.advice || '');
}
