// The status page. One snapshot and one event stream feed it; nothing is polled. Addresses are
// relative, so that it works behind /t/TOKEN/ too. Text is set as text, never as HTML.
'use strict';

const phases = ['identify', 'subscribe', 'catch-up', 'reconcile', 'sessions'];
const kept = 60;          // lines of the log
const hour = 3600_000;

const byId = (id) => document.getElementById(id);
const links = new Map();  // account -> { data, history, card, parts }
const log = [];           // newest first
let store = null;
let about = {};
let skew = 0;             // the gateway's clock less ours, ms
let listed = '';          // what the log shows now

// --- Words -----------------------------------------------------------------------------------------

const now = () => Date.now() + skew;

function span(ms) {
  const s = Math.max(0, Math.round(ms / 1000));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ${Math.floor(s / 60) % 60} min`;
  return `${Math.floor(s / 86400)} d ${Math.floor(s / 3600) % 24} h`;
}

function bytes(n) {
  for (const unit of ['B', 'KiB', 'MiB', 'GiB']) {
    if (n < 1024) return `${n < 10 && unit !== 'B' ? n.toFixed(1) : Math.round(n)} ${unit}`;
    n /= 1024;
  }
  return `${n.toFixed(1)} TiB`;
}

function count(n, one, many) {
  return `${n.toLocaleString('en')} ${n === 1 ? one : many}`;
}

function clock(ms) {
  const at = new Date(ms);
  const time = at.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' });
  return now() - ms < 20 * hour ? time : `${at.toLocaleDateString([], { day: 'numeric', month: 'short' })} ${time}`;
}

const sentence = (text) => (text ? text[0].toUpperCase() + text.slice(1) : '');

function set(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function show(element, visible) {
  if (element.hidden === visible) element.hidden = !visible;
}

// --- One link --------------------------------------------------------------------------------------

function cardFor(account) {
  const card = byId('link').content.firstElementChild.cloneNode(true);
  const parts = {};
  for (const element of card.querySelectorAll('[class]')) parts[element.classList[0]] = element;
  parts.fill = card.querySelector('.bar div');
  set(parts.account, account);
  for (const phase of phases) {
    const item = document.createElement('li');
    item.textContent = phase;
    parts.phases.append(item);
  }
  parts.retry.setAttribute('aria-label', `Retry ${account} now`);
  parts.retry.addEventListener('click', () => retry(account, parts.retry));
  byId('links').append(card);
  return { card, parts };
}

async function retry(account, button) {
  button.disabled = true;
  try {
    const answer = await fetch(`holdfast/v1/links/${encodeURIComponent(account)}/retry`, { method: 'POST' });
    say(answer.ok ? `Trying ${account} now.` : `Holdfast refused: ${answer.status}.`);
  } catch {
    say('Holdfast did not answer.');
  }
  button.disabled = false;
}

const isDown = (data) => data.state === 'RECONNECTING' || data.state === 'DISCONNECTED';

/** Calm ("good"), working ("busy"), asking for attention ("warn"), or not holding ("bad"). */
function mood(data) {
  if (isDown(data)) return 'bad';
  if (data.receive_health === 'paused' || data.send_health === 'failing') return 'bad';
  if (data.outbox.held > 0 || data.outbox.challenge_token || data.outbox.frozen_until > now()) return 'warn';
  return data.ready ? 'good' : 'busy';
}

function receiving(data) {
  const words = { ok: 'works', paused: 'paused: nothing is read until the store takes it', syncing: 'catching up', down: 'not connected' };
  return words[data.receive_health] || data.receive_health;
}

function sending(data) {
  if (data.outbox.challenge_token) return 'Signal wants proof that a person is behind this account';
  if (data.outbox.frozen_until > now()) return `Signal asks for a pause until ${clock(data.outbox.frozen_until)}`;
  const words = { ok: 'works', unknown: 'nothing was sent yet', failing: `fails: ${data.send_evidence || 'no reason is known'}`, down: 'not connected' };
  return words[data.send_health] || data.send_health;
}

function inbound(data) {
  const { lag, clients } = data.inbound;
  const attached = clients === 0 ? 'no client attached' : `${count(clients, 'client', 'clients')} attached`;
  return lag === 0 ? `nothing · ${attached}` : `${count(lag, 'message', 'messages')} · ${attached}`;
}

function outbox(data) {
  const states = ['queued', 'sending', 'unknown', 'held'].filter((state) => data.outbox[state] > 0);
  if (states.length === 0) return 'nothing';
  const oldest = data.outbox.oldest_at ? ` · oldest ${span(now() - data.outbox.oldest_at)}` : '';
  return states.map((state) => `${data.outbox[state].toLocaleString('en')} ${state}`).join(', ') + oldest;
}

function grade(element, level) {
  element.classList.toggle('warn', level === 'warn');
  element.classList.toggle('bad', level === 'bad');
}

function drawLink(link) {
  const { data, card, parts } = link;
  card.dataset.state = data.state;
  set(parts.state, data.state);
  set(parts.evidence, sentence(data.evidence));
  set(parts.upstream, data.bridge_version ? `${data.upstream} · bridge ${data.bridge_version}` : data.upstream);
  show(parts.note, Boolean(data.note));
  set(parts.note, data.note || '');

  set(parts.receiving, receiving(data));
  grade(parts.receiving, { paused: 'bad', down: 'bad' }[data.receive_health]);
  set(parts.inbound, inbound(data));
  grade(parts.inbound, data.inbound.lag > 0 && data.inbound.clients === 0 ? 'warn' : '');
  set(parts.sending, sending(data));
  grade(parts.sending, data.send_health === 'failing' || data.send_health === 'down' ? 'bad'
    : data.outbox.challenge_token || data.outbox.frozen_until > now() ? 'warn' : '');
  set(parts.outbox, outbox(data));
  grade(parts.outbox, data.outbox.held > 0 ? 'bad' : data.outbox.unknown > 0 ? 'warn' : '');

  show(parts.phases, Boolean(data.sync));
  const at = data.sync ? phases.indexOf(data.sync.phase.replace('_', '-')) : -1;
  [...parts.phases.children].forEach((item, i) => {
    item.className = i < at ? 'past' : i === at ? 'now' : '';
    set(item, i === at && data.sync.frames > 0 ? `${phases[i]} (${data.sync.frames.toLocaleString('en')})` : phases[i]);
  });
  drawTime(link);
}

/** What changes with time alone. Returns whether a countdown runs. */
function drawTime(link) {
  const { data, parts } = link;
  set(parts.since, `for ${span(now() - data.since)}`);
  drawBand(link);
  const left = (data.next_attempt_at || 0) - now();
  const waiting = data.state === 'RECONNECTING';
  show(parts.wait, waiting);
  if (!waiting) return false;
  const due = left <= 0;
  show(parts.retry, !due);
  const nominal = data.nominal_delay_ms ? ` (nominal ${span(data.nominal_delay_ms)})` : '';
  set(parts.countdown, due ? `Attempt ${data.attempt_count} is under way`
    : `Attempt ${data.attempt_count} in ${(left / 1000).toFixed(left < 10_000 ? 1 : 0)} s${nominal}`);
  const share = due ? 1 : 1 - left / Math.max(data.actual_delay_ms, left, 1);
  parts.fill.style.width = `${(share * 100).toFixed(1)}%`;
  return !due;
}

/** The last hour, one rectangle a state. Redrawn when something changed or a minute has passed. */
function drawBand(link) {
  const end = now();
  const mark = `${link.history.length}/${link.history.at(-1)?.at}/${Math.floor(end / 60_000)}`;
  if (link.mark === mark) return;
  link.mark = mark;
  const start = end - hour;
  const pieces = [];
  let from = 0;
  let state = '';
  const add = (until) => {
    if (state && until > start) pieces.push([Math.max(from, start), until, state]);
  };
  const steps = link.history.length > 0 ? link.history : [{ at: link.data.since, to: link.data.state }];
  for (const step of steps) {
    add(step.at);
    [from, state] = [step.at, step.to];
  }
  add(end);
  const rectangles = pieces.map(([a, b, name]) => {
    const rectangle = document.createElementNS('http://www.w3.org/2000/svg', 'rect');
    rectangle.setAttribute('x', (a - start) / 1000);
    // A moment that matters is wide enough to be seen.
    rectangle.setAttribute('width', Math.max((b - a) / 1000, name === 'CONNECTED' ? 0 : 12));
    rectangle.setAttribute('height', 10);
    rectangle.setAttribute('class', name);
    return rectangle;
  });
  // Trouble is drawn over calm.
  rectangles.sort((a, b) => (a.getAttribute('class') === 'CONNECTED' ? 0 : 1) - (b.getAttribute('class') === 'CONNECTED' ? 0 : 1));
  link.parts.band.replaceChildren(...rectangles);
  const known = pieces.reduce((sum, [a, b]) => sum + b - a, 0);
  const up = pieces.filter(([, , name]) => name === 'CONNECTED').reduce((sum, [a, b]) => sum + b - a, 0);
  link.parts.band.setAttribute('aria-label', known === 0 ? 'Nothing is known of the last hour'
    : `Connected ${Math.floor((up / known) * 1000) / 10} % of the last ${span(known)}`);
}

// --- The whole -------------------------------------------------------------------------------------

function drawSummary() {
  const all = [...links.values()].map((link) => link.data);
  const of = (name) => all.filter((data) => mood(data) === name);
  let overall = 'good';
  let headline = ['', 'The link holds.', 'Both links hold.'][all.length] || `All ${all.length} links hold.`;
  if (store && !store.writable) {
    overall = 'bad';
    headline = 'The store takes nothing: sends are refused.';
  } else if (of('bad').length > 0) {
    overall = 'bad';
    const lost = of('bad').filter((data) => isDown(data)).length;
    headline = lost === 0 ? `${count(of('bad').length, 'link needs', 'links need')} attention.`
      : all.length === 1 ? 'The link is down. Holdfast is getting it back.'
      : lost === all.length ? `${lost === 2 ? 'Both' : `All ${lost}`} links are down. Holdfast is getting them back.`
      : `${lost} of ${all.length} links ${lost === 1 ? 'is' : 'are'} down. Holdfast is getting ${lost === 1 ? 'it' : 'them'} back.`;
  } else if (of('warn').length > 0) {
    overall = 'warn';
    headline = `${count(of('warn').length, 'link needs', 'links need')} a person.`;
  } else if (of('busy').length > 0) {
    overall = 'busy';
    headline = 'Connected; synchronising.';
  } else if (all.length === 0) {
    overall = 'warn';
    headline = 'Holdfast holds no link yet.';
  }
  document.body.dataset.mood = overall;
  document.body.classList.toggle('many', all.length > 8);
  set(byId('headline'), headline);
  const total = (pick) => all.reduce((sum, data) => sum + pick(data), 0);
  const out = total((data) => data.outbox.queued + data.outbox.sending + data.outbox.unknown + data.outbox.held);
  const lag = total((data) => data.inbound.lag);
  set(byId('subline'), `${out === 0 ? 'Nothing waits to be sent' : `${count(out, 'message waits', 'messages wait')} to be sent`}`
    + ` · ${lag === 0 ? 'nothing waits for a client' : `${count(lag, 'message waits', 'messages wait')} for a client`}`);
  title(overall, headline);
}

function title(overall, headline) {
  const colour = { good: '#1c7a4a', busy: '#1f63b0', warn: '#c47f0e' }[overall] || '#b3261e';
  const icon = `data:image/svg+xml,<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><circle cx="8" cy="8" r="7" fill="${encodeURIComponent(colour)}"/></svg>`;
  if (byId('icon').getAttribute('href') !== icon) byId('icon').href = icon;
  const text = overall === 'good' ? 'Holdfast' : `${headline} – Holdfast`;
  if (document.title !== text) document.title = text;
}

function drawStore() {
  const footer = byId('store');
  footer.parentElement.classList.toggle('bad', !store.writable);
  const check = store.check === 'ok' ? 'checked' : `check: ${store.check}`;
  const commits = store.commits > 0 ? ` · a commit takes ${store.commit_ms_p50.toFixed(1)} ms (99 %: ${store.commit_ms_p99.toFixed(1)} ms)` : '';
  set(footer, !store.writable ? `The store cannot be written: ${store.problem || 'no reason is known'}`
    : `Store ${bytes(store.bytes)}, ${check} · ${bytes(store.disk_free_bytes)} free${commits} · Holdfast ${about.version}, up ${span(now() - about.started_at)}`);
}

function remember(entry) {
  log.unshift(entry);
  log.sort((a, b) => b.at - a.at);
  log.length = Math.min(log.length, kept);
}

/** What stands before RECONNECTING has said already why; this says when. */
function wordsOf(entry) {
  if (!entry.to) return entry.text;
  if (entry.to !== 'RECONNECTING') return entry.evidence;
  const delay = (entry.actual_delay_ms || 0) / 1000;
  return delay < 0.05 ? `attempt ${entry.attempt_count} now` : `attempt ${entry.attempt_count} in ${delay.toFixed(1)} s`;
}

function drawLog() {
  const key = log.map((entry) => `${entry.at}${entry.account}${entry.to || entry.text}`).join();
  show(byId('log-empty'), log.length === 0);
  if (key === listed) return;
  listed = key;
  byId('log').replaceChildren(...log.map((entry) => {
    const item = document.createElement('li');
    const time = document.createElement('time');
    time.dateTime = new Date(entry.at).toISOString();
    time.textContent = clock(entry.at);
    const words = document.createElement('p');
    if (entry.to) {
      const state = document.createElement('b');
      state.className = entry.to;
      state.textContent = entry.to;
      words.append(state, ' ');
    }
    words.append(sentence(wordsOf(entry)));
    if (links.size > 1) {
      const account = document.createElement('span');
      account.textContent = ` ${entry.account}`;
      words.append(account);
    }
    item.append(time, words);
    return item;
  }));
}

function say(text) {
  byId('spoken').textContent = text;
}

let clockwork = 0;
/** Ten times a second would be nervous; a quarter of a second is live. Slow while nothing counts down. */
function tick() {
  clearTimeout(clockwork);
  let counting = false;
  if (document.body.dataset.live === 'yes') {
    for (const link of links.values()) counting = drawTime(link) || counting;
    if (store) drawStore();
  }
  counting = drawLost() || counting;
  clockwork = setTimeout(tick, document.hidden ? 5000 : counting ? 250 : 1000);
}

// --- Events ----------------------------------------------------------------------------------------

function put(data) {
  let link = links.get(data.account);
  if (!link) {
    link = { data, history: [], ...cardFor(data.account) };
    links.set(data.account, link);
  }
  if (link.data.state !== data.state) say(`${data.account} is ${data.state}. ${data.evidence}`);
  link.data = data;
  drawLink(link);
}

function onSnapshot(status) {
  skew = status.now - Date.now();
  store = status.store;
  about = status;
  const known = new Set(status.links.map((link) => link.account));
  for (const [account, link] of links) {
    if (known.has(account)) continue;
    link.card.remove();
    links.delete(account);
  }
  log.length = 0;
  for (const data of status.links) {
    put(data);
    links.get(data.account).history = [...data.transitions];
    data.transitions.forEach(remember);
    drawLink(links.get(data.account));
  }
  drawSummary();
  drawLog();
  tick();
}

function onLink(data) {
  put(data);
  drawSummary();
}

function onTransition(step) {
  const link = links.get(step.account);
  // What a replay repeats stands in the snapshot already.
  if (!link || link.history.some((known) => known.at === step.at && known.to === step.to)) return;
  link.history.push(step);
  if (link.history.length > 400) link.history.shift();
  remember(step);
  drawLog();
  drawBand(link);
}

function onRemark(remark) {
  if (log.some((known) => known.at === remark.at && known.text === remark.text)) return;
  remember(remark);
  drawLog();
}

// --- The page's own link ---------------------------------------------------------------------------

let source = null;
let attempts = 0;
let lastId = '';
let again = 0;      // when the next attempt is made; 0: none waits
let timer = 0;

function connect() {
  clearTimeout(timer);
  again = 0;
  if (source) source.close();
  source = new EventSource(`holdfast/v1/events${lastId ? `?after=${lastId}` : ''}`);
  const on = (type, handler) => source.addEventListener(type, (event) => {
    if (event.lastEventId) lastId = event.lastEventId;
    handler(JSON.parse(event.data));
  });
  on('snapshot', (status) => {
    attempts = 0;
    document.body.dataset.live = 'yes';
    set(byId('live'), 'live');
    onSnapshot(status);
  });
  on('link', onLink);
  on('transition', onTransition);
  on('remark', onRemark);
  source.onerror = lose;
}

/** Waits as a link does: 1, 2, 4 … 60 s, less up to half of it. */
function lose() {
  source.close();
  attempts += 1;
  const nominal = Math.min(2 ** (attempts - 1), 60) * 1000;
  again = Date.now() + nominal * (0.5 + Math.random() / 2);
  document.body.dataset.live = 'no';
  document.body.dataset.mood = 'lost';
  set(byId('live'), 'not connected');
  set(byId('headline'), 'Holdfast does not answer.');
  set(byId('subline'), store ? 'What is shown below is the last that was known.' : '');
  title('lost', 'Holdfast does not answer');
  timer = setTimeout(connect, again - Date.now());
  tick();
}

function drawLost() {
  show(byId('lost'), again > 0);
  if (again > 0) set(byId('lost-countdown'), `This page asks again in ${Math.max(0, (again - Date.now()) / 1000).toFixed(1)} s.`);
  return again > 0;
}

byId('lost-retry').addEventListener('click', connect);
document.addEventListener('visibilitychange', () => {
  if (!document.hidden) tick();
});
connect();
