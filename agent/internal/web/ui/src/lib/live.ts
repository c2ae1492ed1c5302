// The hall as it is now: server-sent events where the browser has them, else long polling. Both tell the same.

import { Hall, Input } from './hall';
import { Problem, request } from './http';

export interface Ears {
  as: string;
  query?: string; // further parameters, such as window=1
  open?: (address: string) => EventSource; // a screen's own way to hear the stream
  onHall: (hall: Hall) => void;
  onInput?: (input: Input) => void;
  onLive: (live: boolean) => void; // false: what is shown may be old
  onSignedOut: (problem: Problem) => void;
}

/** How long a break may last before what is shown counts as old. */
const patience = 2500;
/** The server beats every four seconds. A stream that is silent for longer is dead, even if nobody said so: a machine that lost its
 * power, or a cable that was pulled, takes no leave. */
const silence = 9000;

export function listen(ears: Ears): void {
  let hall: Hall | null = null;
  let lastInput = 0;
  let doubt: number | undefined;

  const good = function (): void {
    window.clearTimeout(doubt);
    doubt = undefined;
    ears.onLive(true);
  };
  const bad = function (): void {
    if (doubt === undefined) {
      doubt = window.setTimeout(function (): void {
        ears.onLive(false);
      }, patience);
    }
  };
  const take = function (next: Hall): void {
    hall = next;
    good();
    ears.onHall(next);
  };
  const takeInput = function (input: Input): void {
    if (input.n > lastInput && ears.onInput) {
      lastInput = input.n;
      ears.onInput(input);
    }
  };
  const query = ears.query ? '&' + ears.query : '';

  const stream = function (): void {
    const address = '/api/v1/stream?beat=1&as=' + ears.as + query;
    const source = ears.open ? ears.open(address) : new EventSource(address);
    let heard = Date.now();
    const listens = window.setInterval(function (): void {
      if (source.readyState === 2) { // closed elsewhere
        window.clearInterval(listens);
      } else if (Date.now() - heard > silence) {
        window.clearInterval(listens);
        source.close();
        ears.onLive(false);
        stream();
      }
    }, 1000);
    const onHall = function (e: Event): void {
      heard = Date.now();
      const next = JSON.parse((e as MessageEvent).data as string) as Hall;
      if (next.windows) { // the last of several changes has the hall
        take(next);
      }
    };
    source.addEventListener('beat', function (): void {
      heard = Date.now();
      good();
    });
    source.addEventListener('snapshot', onHall);
    source.addEventListener('change', onHall);
    const onPart = function (e: Event): void {
      heard = Date.now();
      const said = JSON.parse((e as MessageEvent).data as string) as { [part: string]: unknown };
      if (hall) {
        for (const part in said) {
          (hall as unknown as { [part: string]: unknown })[part] = said[part];
        }
        take(hall);
      }
    };
    const parts = ['health', 'help', 'paper', 'gives', 'frame', 'program'];
    for (let i = 0; i < parts.length; i++) {
      source.addEventListener(parts[i], onPart);
    }
    source.addEventListener('input', function (e: Event): void {
      heard = Date.now();
      takeInput(JSON.parse((e as MessageEvent).data as string) as Input);
    });
    source.onopen = function (): void {
      heard = Date.now();
      good();
    };
    source.onerror = function (): void {
      bad();
      if (source.readyState === 2) { // the server refused; the browser will not come back by itself
        source.close();
        check(stream);
      }
    };
  };

  /** Finds out why the stream was refused, then goes on. */
  const check = function (next: () => void): void {
    request<Hall>({ method: 'GET', path: '/api/v1/hall', as: ears.as }, function (problem): void {
      if (problem && (problem.status === 401 || problem.status === 403)) {
        ears.onSignedOut(problem);
        return;
      }
      window.setTimeout(next, 3000);
    });
  };

  const poll = function (input: string): void {
    const after = hall ? '&after=' + hall.seq + '&wait=25' : '';
    request<Hall & { input?: Input; input_n?: number }>(
      { method: 'GET', path: '/api/v1/hall?input=' + input + after + query, as: ears.as, timeoutMS: 40000 },
      function (problem, answer): void {
        if (problem || !answer) {
          bad();
          if (problem && (problem.status === 401 || problem.status === 403)) {
            ears.onSignedOut(problem);
            return;
          }
          window.setTimeout(function (): void {
            poll(input);
          }, 3000);
          return;
        }
        take(answer);
        if (answer.input) {
          takeInput(answer.input);
        }
        window.setTimeout(function (): void {
          poll(answer.input_n ? '' + answer.input_n : '');
        }, 100);
      });
  };

  if (typeof EventSource === 'undefined') {
    poll('');
  } else {
    stream();
  }
}
