// What is plugged in and not configured, with the entry that it needs.

import { byId, button, empty, make, show, text } from '../lib/dom';
import { classOf, kindOf, Proposal, Spare } from './device';

let drawn = '';

export function drawSpares(list: Spare[]): void {
  const key = JSON.stringify(list);
  if (key === drawn) { // somebody may be reading or choosing
    return;
  }
  drawn = key;
  const box = byId('spares');
  empty(box);
  let shown = 0;
  for (let i = 0; i < list.length; i++) {
    if (list[i].ref || list[i].proposals.length > 0) { // else it is a line of the mainboard, with or without something on it
      box.appendChild(itemOf(list[i], 'spare-' + i));
      shown++;
    }
  }
  show(byId('spares-none'), shown === 0);
}

function itemOf(s: Spare, id: string): HTMLElement {
  const what = ((s.maker || '') + ' ' + (s.title || '')).replace(/^ | $/g, '');
  const where = [kindOf(s) + ' ' + s.path].concat(s.ref ? ['编号 ' + s.ref] : [], s.port ? ['插口 ' + s.port] : []).join('　');
  const left = make('div', 'spare-what', undefined, [make('b', '', what || kindOf(s)), make('small', '', where)]);
  const item = make('li', '', undefined, [left]);
  if (s.proposals.length === 0) {
    item.appendChild(make('p', 'advice', '看不出是什么型号。知道型号就在大厅主机上运行：', [commandOf(s, '型号')]));
    return item;
  }
  const stanza = make('pre', 'stanza', s.proposals[0].stanza);
  const hint = make('small', '');
  drawHint(hint, s, s.proposals[0], true);
  if (s.proposals.length > 1) {
    left.appendChild(chooser(s, id, function (p: Proposal, first: boolean): void {
      text(stanza, p.stanza);
      drawHint(hint, s, p, first);
    }));
  } else {
    left.appendChild(make('span', 'spare-model', nameOf(s.proposals[0])));
  }
  const copied = button('btn', '复制', function (): void { text(copied, copy(stanza.textContent || '') ? '已复制' : '请手工复制'); }, '复制 ' + (what || s.path) + ' 的配置');
  item.appendChild(make('div', 'spare-how', undefined, [make('div', 'spare-stanza', undefined, [stanza, copied]), hint]));
  return item;
}

function nameOf(p: Proposal): string { return (p.sure ? '' : '可能是 ') + p.title + '（' + classOf(p) + '，' + p.model + '）'; }

function drawHint(hint: HTMLElement, s: Spare, p: Proposal, first: boolean): void {
  text(hint, '写进 agent.yaml 的 devices 一段，再重启服务；或在大厅主机上运行：');
  hint.appendChild(commandOf(s, first ? '' : p.model));
}

/** What adds a device to the configuration; the model is named where it is not the first that comes to mind. */
function commandOf(s: Spare, model: string): HTMLElement {
  return make('code', '', 'hall-agent devices add ' + (s.ref || s.path) + (model ? ' --model ' + model : '') + ' --write');
}

function chooser(s: Spare, id: string, chosen: (p: Proposal, first: boolean) => void): HTMLElement {
  const list = make('select', 'spare-model') as HTMLSelectElement;
  list.id = id;
  for (let i = 0; i < s.proposals.length; i++) {
    list.appendChild(make('option', '', nameOf(s.proposals[i])));
  }
  list.addEventListener('change', function (): void { chosen(s.proposals[list.selectedIndex], list.selectedIndex === 0); });
  const label = make('label', '', '型号');
  label.setAttribute('for', id);
  return make('div', 'spare-choice', undefined, [label, list]);
}

/** Copies a text by the old way, which needs no safe connection. */
function copy(what: string): boolean {
  const area = make('textarea', 'hidden-text') as HTMLTextAreaElement;
  const before = document.activeElement as HTMLElement | null;
  area.value = what;
  document.body.appendChild(area);
  area.select();
  let done = false;
  try {
    done = document.execCommand('copy');
  } catch (_) {
    done = false;
  }
  document.body.removeChild(area);
  if (before && before.focus) {
    before.focus();
  }
  return done;
}
