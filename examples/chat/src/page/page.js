// Shows what the client has.
'use strict';

const element = (id) => document.getElementById(id);
const scheme = location.protocol === 'https:' ? 'wss' : 'ws';
const chat = new ChatClient(`${scheme}://${location.host}/chat`, sessionStorage);
/** What was said in each room, and who is there. */
const rooms = new Map();
/** So much of a room stays on the page. */
const MAX_LINES = 500;
let current;

function make(tag, text, properties = {}) {
  const made = Object.assign(document.createElement(tag), properties);
  made.textContent = text;
  return made;
}

function line({ at, from, text, kind = 'message' }) {
  const item = make('li', '', { className: kind });
  if (at !== undefined) {
    const time = new Date(at);
    item.append(make('time', time.toLocaleTimeString([], { timeStyle: 'short' }), { dateTime: time.toISOString() }));
  }
  if (from !== undefined) item.append(make('b', from));
  item.append(text);
  return item;
}

function add(room, entry) {
  const { lines } = rooms.get(room);
  lines.push(entry);
  if (lines.length > MAX_LINES) lines.shift();
}

function show() {
  document.body.dataset.state = chat.state;
  element('state').textContent = chat.state;
  element('state').title = chat.why ?? '';
  element('round-trip').textContent = chat.roundTrip === undefined ? '–' : `${chat.roundTrip.toFixed(1)} ms`;
  for (const counter of ['queued', 'sent', 'confirmed', 'reconnects']) element(counter).textContent = chat[counter];
  if (chat.state === 'disconnected' && chat.why) element('notice').textContent = chat.why;

  element('room').textContent = current ?? 'No room';
  element('leave').hidden = current === undefined;
  element('rooms').replaceChildren(...[...rooms.keys()].map((room) => {
    const item = make('li', '');
    const button = make('button', room, { type: 'button', onclick: () => { current = room; show(); } });
    if (room === current) button.setAttribute('aria-current', 'true');
    item.append(button);
    return item;
  }));
  const { lines = [], present = [] } = rooms.get(current) ?? {};
  element('present').replaceChildren(...present.map((name) => make('li', name)));
  const log = element('log');
  const isAtEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
  const waiting = chat.outbox.filter(({ room, to }) => to !== undefined || room === current);
  log.replaceChildren(...lines.map(line), ...waiting.map(({ to, text, sent }) => {
    const item = line({ from: to === undefined ? chat.name : `${chat.name} to ${to}`, text, kind: 'waiting' });
    item.dataset.is = sent ? 'sent' : 'queued';
    return item;
  }));
  if (isAtEnd) log.scrollTop = log.scrollHeight;
}

/** Many changes are shown once. */
let isDue = false;
function changed() {
  if (isDue) return;
  isDue = true;
  // Not with the next frame: a page in the background has none.
  setTimeout(() => {
    isDue = false;
    show();
  });
}

function received(reply) {
  const { type, room } = reply;
  switch (type) {
    case 'welcome':
      element('who').close();
      sessionStorage.setItem('name', chat.name);
      break;
    case 'joined':
      if (reply.missed) add(room, { text: 'Some of what was said meanwhile is not kept any more.', kind: 'note' });
      break;
    case 'message':
      add(room, reply);
      break;
    case 'private':
      // It may come before any room does.
      if (current === undefined) element('notice').textContent = `${reply.from} to you: ${reply.text}`;
      else add(current, { ...reply, from: `${reply.from} to you`, kind: 'private' });
      break;
    case 'present':
      if (rooms.has(room)) rooms.get(room).present = reply.names;
      break;
    case 'refused':
      if (room !== undefined) forget(room);
      if (element('who').open) element('refusal').textContent = reply.reason;
      else if (reply.id === undefined && room === undefined) ask(reply.reason);
      else element('notice').textContent = reply.reason;
      break;
  }
  changed();
}

function enter(room) {
  if (!rooms.has(room)) {
    rooms.set(room, { lines: [], present: [] });
    chat.join(room);
  }
  current = room;
  changed();
}

function forget(room) {
  rooms.delete(room);
  if (current === room) [current] = rooms.keys();
}

function ask(why) {
  element('refusal').textContent = why;
  element('who').showModal();
}

function submit(id, then) {
  element(id).onsubmit = (event) => {
    event.preventDefault();
    element('notice').textContent = '';
    const input = event.target.querySelector('input');
    const value = input.value.trim();
    if (value === '') return;
    then(value);
    input.value = '';
  };
}

submit('hello', (name) => chat.start(name));
submit('join', enter);
submit('say', (text) => {
  const [, to, told] = /^@(\S+)\s+(.+)$/s.exec(text) ?? [];
  if (to !== undefined) chat.say({ to }, told);
  else if (current !== undefined) chat.say({ room: current }, text);
});
element('leave').onclick = () => {
  chat.leave(current);
  forget(current);
  changed();
};
chat.addEventListener('change', changed);
chat.addEventListener('reply', ({ detail }) => received(detail));

// What was said and not confirmed before a reload is sent where it was to go.
for (const { room } of chat.outbox) if (room !== undefined) enter(room);
enter('lobby');
const name = sessionStorage.getItem('name');
if (name === null) ask('');
else chat.start(name);
show();
