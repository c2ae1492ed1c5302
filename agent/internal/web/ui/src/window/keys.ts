// The F-keys of the verbs. Each clerk sets them, on their own machine; no key does two things.

import { button, byId, empty, make, mark, phrases } from '../lib/dom';
import { closeSheet, sheet, sheetOpen } from '../lib/sheet';

export interface KeyedVerb { id: string; name: string; key: string; } // key as it is before anybody sets another

interface Keys { [verb: string]: string; }

const place = 'halledge.window.keys';
const noKey = '不用键';

let all: KeyedVerb[] = [];
let keys: Keys = {};
let draft: Keys = {};
let setting = ''; // the verb that waits for its key
let apply: () => void;

/** Reads what was set on this machine. onChange is told when it is set anew. */
export function useKeys(verbs: KeyedVerb[], onChange: () => void): void {
  all = verbs;
  apply = onChange;
  keys = defaults();
  try {
    const kept = JSON.parse(window.localStorage.getItem(place) || '{}') as Keys;
    const next = defaults();
    for (let i = 0; i < all.length; i++) {
      const key = kept[all[i].id];
      if (typeof key === 'string' && (key === '' || isKey(key))) {
        next[all[i].id] = key;
      }
    }
    if (!doubled(next)) {
      keys = next;
    }
  } catch (_) { /* nothing is kept here, or it cannot be read: the usual keys */ }
}

function defaults(): Keys {
  const out: Keys = {};
  for (let i = 0; i < all.length; i++) {
    out[all[i].id] = all[i].key;
  }
  return out;
}

function doubled(k: Keys): boolean {
  const used: { [key: string]: boolean } = {};
  for (let i = 0; i < all.length; i++) {
    const key = k[all[i].id];
    if (key && used[key]) {
      return true;
    }
    used[key] = true;
  }
  return false;
}

/** Reports whether a key is one that verbs can have. */
export function isKey(key: string): boolean {
  return /^F([1-9]|1[0-2])$/.test(key);
}

export function keyOf(verb: string): string {
  return keys[verb];
}

/** The verb of a key, "" for none. */
export function verbOf(key: string): string {
  return owner(keys, key);
}

function owner(k: Keys, key: string): string {
  for (let i = 0; i < all.length; i++) {
    if (k[all[i].id] === key) {
      return all[i].id;
    }
  }
  return '';
}

function nameOf(verb: string): string {
  for (let i = 0; i < all.length; i++) {
    if (all[i].id === verb) {
      return all[i].name;
    }
  }
  return verb;
}

/** Shows the keys and lets the clerk set them. */
export function askKeys(): void {
  draft = {};
  for (const verb in keys) {
    draft[verb] = keys[verb];
  }
  setting = '';
  const list = make('div', 'keys');
  list.id = 'keys';
  const hint = make('p', 'sheet-hint');
  hint.id = 'keys-say';
  hint.setAttribute('role', 'status');
  const usual = button('btn', '恢复默认', function (): void {
    draft = defaults();
    setting = '';
    drawKeys();
    tell('已恢复默认，按“保存”生效。', false);
  });
  const save = button('btn btn-main', '保存', function (): void {
    keys = draft;
    try {
      window.localStorage.setItem(place, JSON.stringify(keys));
    } catch (_) { /* kept until the page is closed */ }
    closeSheet();
    apply();
  });
  sheet('快捷键', [list, make('div', 'choices', undefined, [usual]), hint], [save]);
  drawKeys();
  tell('点一个操作，再按 F1–F12 中的一个键；按 Delete 就不用快捷键。只在这台电脑上有效。', false);
}

function drawKeys(): void {
  const list = byId('keys');
  empty(list);
  for (let i = 0; i < all.length; i++) {
    const v = all[i];
    const b = button('btn key', '', function (): void {
      setting = v.id;
      drawKeys();
      tell('请按“' + v.name + '”的新键。', false);
    }, v.name + '的键 ' + (draft[v.id] || noKey));
    b.appendChild(make('span', '', v.name));
    b.appendChild(make('b', '', setting === v.id ? '请按键' : draft[v.id] || noKey));
    mark(b, 'btn-on', setting === v.id);
    list.appendChild(b);
    if (setting === v.id) {
      b.focus();
    }
  }
}

function tell(words: string, bad: boolean): void {
  phrases(byId('keys-say'), words);
  mark(byId('keys-say'), 'sheet-bad', bad);
}

/** Takes a key for the verb that waits for one. Gives false if none does. */
export function takeKey(e: KeyboardEvent): boolean {
  if (!setting || !sheetOpen() || !document.getElementById('keys-say')) {
    return false;
  }
  const none = e.key === 'Delete' || e.key === 'Del';
  if (!none && (!isKey(e.key) || e.ctrlKey || e.altKey || e.shiftKey || e.metaKey)) {
    if (e.key !== 'Tab' && e.key !== 'Enter' && e.key !== ' ') {
      tell('只能用 F1–F12，单独的字母和数字容易误按。', true);
    }
    return false;
  }
  const key = none ? '' : e.key;
  const other = key ? owner(draft, key) : '';
  if (other && other !== setting) {
    tell(key + ' 已经是“' + nameOf(other) + '”的键，没有改。请换一个键，或先改“' + nameOf(other) + '”。', true);
    return true;
  }
  draft[setting] = key;
  const name = nameOf(setting);
  setting = '';
  drawKeys();
  tell('“' + name + '”' + (key ? '改为 ' + key : '不用快捷键') + '，按“保存”生效。' +
    (key === 'F11' ? '浏览器全屏时，F11 会退出全屏。' : ''), false);
  return true;
}
