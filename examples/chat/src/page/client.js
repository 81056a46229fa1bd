// A connection that comes back: reconnects with backoff, resumes from the last message it has, and
// sends again what was not confirmed. No part of the page is in it.
'use strict';

class ChatClient extends EventTarget {
  /** So many messages are on their way at once; the server takes 64 requests ahead. */
  static WINDOW = 32;
  static FIRST_DELAY = 500;
  static LONGEST_DELAY = 15000;
  /** How often the round trip is measured, and how long it may take. */
  static PING_INTERVAL = 5000;
  static PING_TIMEOUT = 10000;
  /** A connection that has held for so long was a good one. */
  static STABLE = 10000;

  state = 'disconnected';
  reconnects = 0;
  confirmed = 0;
  /** Not confirmed yet, in order: `{ id, room | to, text, sent }`. */
  outbox = [];
  /** The last message of each room, and the last private one. */
  since = new Map();
  sinceInbox = undefined;
  #attempt = 0;

  constructor(url, kept) {
    super();
    this.url = url;
    // A reload is no reason to lose what was said.
    this.kept = kept;
    const { client, outbox } = JSON.parse(kept.getItem('chat') ?? '{}');
    this.client = client ?? ChatClient.#randomId();
    this.outbox = (outbox ?? []).map((message) => ({ ...message, sent: false }));
    addEventListener('offline', () => this.#lost('offline'));
    addEventListener('online', () => { if (this.state === 'offline') this.#connect(); });
  }

  /** Comes in as somebody; the rooms that were joined before are joined again. */
  start(name) {
    this.name = name;
    if (this.socket?.readyState === WebSocket.OPEN) this.#hello();
    else this.#connect();
  }

  join(room) {
    if (!this.since.has(room)) this.since.set(room, undefined);
    this.#join(room);
  }

  leave(room) {
    this.since.delete(room);
    this.outbox = this.outbox.filter((message) => message.room !== room);
    if (this.isWelcome) this.#send({ type: 'leave', room });
    this.#changed();
  }

  /** Says something: `where` is `{ room }` or `{ to }`. Now, or when there is a connection. */
  say(where, text) {
    this.outbox.push({ ...where, id: ChatClient.#randomId(), text, sent: false });
    this.#pump();
  }

  get queued() { return this.outbox.filter(({ sent }) => !sent).length; }

  get sent() { return this.outbox.length - this.queued; }

  static #randomId() {
    return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
  }

  #connect() {
    clearTimeout(this.retry);
    this.#become(this.#attempt > 0 ? 'reconnecting' : 'connecting');
    const socket = new WebSocket(this.url);
    this.socket = socket;
    this.isWelcome = false;
    socket.onopen = () => this.#hello();
    socket.onmessage = ({ data }) => { if (this.socket === socket) this.#receive(JSON.parse(data)); };
    socket.onclose = ({ code, reason }) => {
      if (this.socket !== socket) return;
      // These say that the same would only fail again.
      const isFinal = [1000, 1002, 1003, 1007, 1008, 1009, 1010].includes(code);
      this.#lost(isFinal ? 'disconnected' : 'reconnecting', reason || `closed with ${code}`);
    };
  }

  /** The connection is gone, or of no use any more. */
  #lost(state, why) {
    const { socket } = this;
    this.socket = undefined;
    this.isWelcome = false;
    socket?.close();
    clearInterval(this.pinging);
    clearTimeout(this.deadline);
    this.deadline = undefined; // no ping is under way
    clearTimeout(this.stable);
    clearTimeout(this.retry);
    this.roundTrip = undefined;
    for (const message of this.outbox) message.sent = false;
    if (this.name === undefined) return;
    if (state === 'reconnecting') {
      if (!navigator.onLine) state = 'offline';
      else {
        // At random, so that not everybody comes at once to a server that has just come back.
        const most = Math.min(ChatClient.FIRST_DELAY * 2 ** this.#attempt, ChatClient.LONGEST_DELAY);
        this.retry = setTimeout(() => this.#connect(), most / 2 + Math.random() * most / 2);
        this.#attempt += 1;
      }
    }
    this.#become(state, why);
  }

  #hello() {
    this.#send({ type: 'hello', client: this.client, name: this.name, since: this.sinceInbox });
  }

  #join(room) {
    if (this.isWelcome) this.#send({ type: 'join', room, since: this.since.get(room) });
  }

  #receive(reply) {
    switch (reply.type) {
      case 'welcome':
        this.isWelcome = true;
        if (this.#attempt > 0) this.reconnects += 1;
        this.stable = setTimeout(() => { this.#attempt = 0; }, ChatClient.STABLE);
        for (const room of this.since.keys()) this.#join(room);
        this.#ping();
        this.pinging = setInterval(() => this.#ping(), ChatClient.PING_INTERVAL);
        this.#become('online');
        // Behind the joins: one has to be in a room to speak in it.
        this.#pump();
        break;
      case 'joined':
      case 'message':
        // Not of a room that was left meanwhile.
        if (!this.since.has(reply.room)) return;
        this.since.set(reply.room, reply.id ?? reply.since);
        break;
      case 'private':
        this.sinceInbox = reply.id;
        break;
      case 'confirmed':
        this.confirmed += 1;
        this.#settle(reply.id);
        break;
      case 'refused':
        if (reply.id) this.#settle(reply.id);
        if (reply.room) this.since.delete(reply.room);
        break;
      case 'pong':
        clearTimeout(this.deadline);
        this.deadline = undefined;
        this.roundTrip = performance.now() - this.pinged;
        this.#changed();
        return;
    }
    this.dispatchEvent(new CustomEvent('reply', { detail: reply }));
  }

  /** Nothing more has to be done for a message. */
  #settle(id) {
    this.outbox = this.outbox.filter((message) => message.id !== id);
    this.#pump();
  }

  /** Sends what is queued, as far as it may. */
  #pump() {
    for (const message of this.isWelcome ? this.outbox.slice(0, ChatClient.WINDOW) : []) {
      if (message.sent) continue;
      const { id, room, to, text } = message;
      this.#send(room === undefined ? { type: 'tell', id, to, text } : { type: 'say', id, room, text });
      message.sent = true;
    }
    this.#changed();
  }

  #ping() {
    if (this.deadline !== undefined) return;
    this.pinged = performance.now();
    this.#send({ type: 'ping', n: Math.round(this.pinged) });
    this.deadline = setTimeout(() => {
      this.deadline = undefined;
      this.#lost('reconnecting', 'no answer');
    }, ChatClient.PING_TIMEOUT);
  }

  #send(request) {
    this.socket.send(JSON.stringify(request));
  }

  #become(state, why) {
    this.state = state;
    this.why = why;
    this.#changed();
  }

  #changed() {
    this.kept.setItem('chat', JSON.stringify({ client: this.client, outbox: this.outbox }));
    this.dispatchEvent(new Event('change'));
  }
}
