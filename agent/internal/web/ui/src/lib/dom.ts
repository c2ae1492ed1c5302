// Small helpers for the document. Everything a citizen or the server wrote goes in as text, never as markup.

export function byId<T extends HTMLElement = HTMLElement>(id: string): T {
  const found = document.getElementById(id);
  if (!found) {
    throw new Error('no element #' + id);
  }
  return found as T;
}

/** Makes an element with a class and text, and appends children. */
export function make(tag: string, className: string, text?: string, children?: HTMLElement[]): HTMLElement {
  const made = document.createElement(tag);
  if (className) {
    made.className = className;
  }
  if (text !== undefined) {
    made.textContent = text;
  }
  for (let i = 0; children && i < children.length; i++) {
    made.appendChild(children[i]);
  }
  return made;
}

/** A button that says what it does; type button, so that it never sends a form. Its name tells it from others of the same text. */
export function button(className: string, text: string, onPress: () => void, name?: string): HTMLButtonElement {
  const made = make('button', className, text) as HTMLButtonElement;
  made.type = 'button';
  if (name) {
    made.setAttribute('aria-label', name);
  }
  made.addEventListener('click', onPress);
  return made;
}

export function text(target: HTMLElement, value: string): void {
  if (target.textContent !== value) {
    target.textContent = value;
  }
}

/** Text whose lines break between phrases, so that none begins with a mark or holds a lonely character. */
export function phrases(target: HTMLElement, value: string): void {
  if (target.textContent === value) {
    return;
  }
  empty(target);
  const parts = value.match(/.+?(?:[，。；：！？]+[”）]*|$)/g) || [];
  for (let i = 0; i < parts.length; i++) {
    target.appendChild(make('span', 'phrase', parts[i]));
  }
}

export function empty(target: HTMLElement): void {
  while (target.firstChild) {
    target.removeChild(target.firstChild);
  }
}

export function show(target: HTMLElement, visible: boolean): void {
  target.hidden = !visible;
}

export function mark(target: HTMLElement, className: string, on: boolean): void {
  if (on) {
    target.classList.add(className);
  } else {
    target.classList.remove(className);
  }
}

/** Starts an element's animation anew. */
export function restart(target: HTMLElement, className: string): void {
  target.classList.remove(className);
  void target.offsetWidth; // the browser must see it without the class
  target.classList.add(className);
}

/** What the server tells this page about itself. */
export function setup<T>(): T {
  return JSON.parse(byId('setup').textContent || '{}') as T;
}

/** A page for fingers: no selecting, no context menu, no dragging. */
export function touchOnly(): void {
  ['contextmenu', 'selectstart', 'dragstart'].forEach(function (name): void {
    document.addEventListener(name, function (e): void { e.preventDefault(); });
  });
}
