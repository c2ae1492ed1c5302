// Cards of the staff: the page waits at its readers until somebody shows one.

import { Problem, request, sentence } from './http';

/** Whose card was shown; card is what the server knows it by, pin says that the PIN is needed too. */
export interface Shown { user: string; name: string; card: string; pin: boolean; }

export interface CardSetup { as: string; cards: boolean; cards_own: boolean; }

const waitMS = 40000; // longer than the server waits
const againMS = 3000;

/**
 * Waits for cards at the page's readers. At a reader of its own the page waits all the time, elsewhere for half a minute after ask: there
 * citizens show their cards too. says tells how it stands, "" for nothing.
 */
export function awaitCards(page: CardSetup, says: (words: string) => void, onCard: (shown: Shown) => void): { ask: () => void; stop: () => void } {
  let over = false;
  let waiting = false;
  const wait = function (): void {
    if (over || waiting) {
      return;
    }
    waiting = true;
    request<Shown>({ method: 'POST', path: '/card', as: page.as, body: { page: page.as }, timeoutMS: waitMS }, function (problem: Problem | null, shown): void {
      waiting = false;
      if (over) {
        return;
      }
      if (shown) {
        onCard(shown);
      } else {
        says(problem ? problem.status === 0 ? '' : sentence(problem) : page.cards_own ? '' : '没有等到工作卡。');
      }
      if (page.cards_own && !over) {
        window.setTimeout(wait, problem || shown ? againMS : 50);
      }
    });
  };
  if (page.cards && page.cards_own) {
    wait();
  }
  return {
    ask: function (): void {
      says('请在 30 秒内把工作卡放在读卡区…');
      wait();
    },
    stop: function (): void { over = true; }
  };
}
