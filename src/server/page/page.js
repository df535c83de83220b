// The page at "/": chat with a flow, and see how each answer came about. No library, no build.
'use strict';

const TEXTS = {
  en: {
    flow: 'Flow', fresh: 'New conversation', unlockTitle: 'Enter the key', key: 'Key', unlock: 'Open',
    unlockHint: 'The server printed its key at the first start; it stands in the file “key” of its data folder (.qiao/key). It stays in this tab only.',
    wrongKey: 'The server does not take this key.', message: 'Message', send: 'Send', stop: 'Stop',
    placeholder: 'Write a message …', noFlows: 'This server runs no flow. Start it with: qiao serve FLOW_FOLDER',
    lacks: 'Goes on without', why: 'Why?', hide: 'Hide', scores: 'SIMILARITY TO THE ROUTES’ EXAMPLES', needed: 'needed',
    found: 'FOUND IN THE TEXT', mood: 'mood', language: 'language', knowledge: 'KNOWLEDGE', events: 'All events',
    ended: 'The conversation has ended.', person: 'A person has taken over; answers appear here.', stopped: 'Stopped.',
    tools: 'tool', noAnswer: '(no answer)', lost: 'The server cannot be reached.', agent: 'agent',
    filters: 'FILTERS', passed: 'passed', rejected: 'rejected', aPerson: 'person',
    superseded: 'Overtaken by your next message.', together: 'Answered together with your other message.',
  },
  zh: {
    flow: '流程', fresh: '新会话', unlockTitle: '输入密钥', key: '密钥', unlock: '打开',
    unlockHint: '服务器第一次启动时打印了密钥，它也在数据目录的 key 文件里（.qiao/key）。密钥只留在这个标签页中。',
    wrongKey: '服务器不接受这个密钥。', message: '消息', send: '发送', stop: '停止',
    placeholder: '输入消息……', noFlows: '服务器没有运行流程。请这样启动：qiao serve 流程目录',
    lacks: '目前缺少', why: '为什么？', hide: '收起', scores: '与各路由例句的相似度', needed: '需要',
    found: '从文字中找到', mood: '情绪', language: '语言', knowledge: '知识库', events: '全部事件',
    ended: '会话已结束。', person: '已转人工，回复会显示在这里。', stopped: '已停止。',
    tools: '工具', noAnswer: '（没有回答）', lost: '连接不上服务器。', agent: '应答者',
    filters: '筛选', passed: '通过', rejected: '不通过', aPerson: '人工',
    superseded: '已被您的下一条消息取代。', together: '与另一条消息一起回答。',
  },
};

const byId = (id) => document.getElementById(id);
const state = { language: 'en', key: '', flows: [], conversation: '', controllers: new Set(), follower: null, shown: new Set(), awaited: new Set(), person: false, typedAt: 0 };
const text = (id) => TEXTS[state.language][id];

function element(tag, className, content) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (content !== undefined) node.textContent = content;
  return node;
}

// --- language

function applyLanguage() {
  document.documentElement.lang = state.language === 'zh' ? 'zh-CN' : 'en';
  for (const node of document.querySelectorAll('[data-text]')) node.textContent = text(node.dataset.text);
  byId('text').placeholder = text('placeholder');
  const other = state.language === 'zh' ? 'en' : 'zh';
  byId('language').textContent = other === 'zh' ? '中文' : 'English';
  byId('language').lang = other;
  listFlows();
}

const localized = (value) => (value && (value[state.language] || value.zh || value.en)) || '';

// --- the server

async function call(path, options = {}) {
  const headers = { Authorization: `Bearer ${state.key}`, ...(options.headers || {}) };
  const response = await fetch(path, { ...options, headers });
  if (response.ok) return response;
  let message = `${response.status}`;
  try { message = (await response.json()).error.message; } catch { /* not JSON: the status says enough */ }
  const fault = new Error(message);
  fault.status = response.status;
  throw fault;
}

// Calls `take(type, data)` for each server-sent event of a response.
async function readEvents(response, take) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    rest += value;
    const blocks = rest.split('\n\n');
    rest = blocks.pop();
    for (const block of blocks) {
      let type = 'message';
      let data = '';
      for (const line of block.split('\n')) {
        if (line.startsWith('event: ')) type = line.slice(7);
        if (line.startsWith('data: ')) data += line.slice(6);
      }
      if (data) take(type, data);
    }
  }
}

// --- the key

function takeKey() {
  const given = new URLSearchParams(location.hash.slice(1)).get('key');
  if (given) history.replaceState(null, '', location.pathname);
  state.key = given || sessionStorage.getItem('qiao.key') || '';
}

async function open() {
  if (!state.key) return askForKey('');
  try {
    state.flows = (await (await call('/v1/flows')).json()).flows;
  } catch (fault) {
    return askForKey(fault.status === 401 ? text('wrongKey') : fault.status ? fault.message : text('lost'));
  }
  sessionStorage.setItem('qiao.key', state.key);
  byId('unlock').hidden = true;
  byId('chat').hidden = false;
  listFlows();
  if (!(await comeBack())) begin();
}

function askForKey(fault) {
  byId('unlock').hidden = false;
  byId('chat').hidden = true;
  byId('unlock-fault').textContent = fault;
  byId('key').focus();
}

// --- conversations

function listFlows() {
  const select = byId('flow');
  const chosen = select.value;
  select.replaceChildren(...state.flows.map((flow) => {
    const option = element('option', '', localized(flow.title) || flow.name);
    option.value = flow.name;
    return option;
  }));
  if (chosen) select.value = chosen;
  select.disabled = state.flows.length === 0;
  const flow = currentFlow();
  const lacks = flow && flow.lacks.length ? `${text('lacks')}: ${flow.lacks.join(', ')}` : '';
  byId('notice').textContent = state.key && !flow && !byId('chat').hidden ? text('noFlows') : lacks;
  byId('send').disabled = !flow;
}

const currentFlow = () => state.flows.find((flow) => flow.name === byId('flow').value);

function begin() {
  for (const controller of state.controllers) controller.abort();
  if (state.follower) state.follower.abort();
  state.follower = null;
  state.shown.clear();
  state.awaited.clear();
  state.person = false;
  const id = `page-${Array.from(crypto.getRandomValues(new Uint8Array(8)), (b) => b.toString(16).padStart(2, '0')).join('')}`;
  remember(id);
  byId('messages').replaceChildren();
  listFlows();
  const flow = currentFlow();
  if (flow && localized(flow.greeting)) addTurn('flow', localized(flow.greeting));
  byId('text').focus();
}

// This tab's conversation and its flow, so that a reload goes on with it.
function remember(conversation) {
  state.conversation = conversation;
  sessionStorage.setItem('qiao.conversation', conversation);
  sessionStorage.setItem('qiao.flow', byId('flow').value);
}

// Shows the conversation that this tab had before a reload. False: there is none to go on with.
async function comeBack() {
  const id = sessionStorage.getItem('qiao.conversation');
  const name = sessionStorage.getItem('qiao.flow');
  if (!id || !state.flows.some((flow) => flow.name === name)) return false;
  byId('flow').value = name;
  listFlows();
  let messages = [];
  try {
    messages = (await (await call(`/v1/conversations/${encodeURIComponent(id)}/messages?limit=1000`)).json()).messages;
  } catch (fault) {
    if (fault.status !== 404) return false;
  }
  if (!messages.length) return false;
  state.conversation = id;
  byId('messages').replaceChildren();
  const flow = currentFlow();
  if (localized(flow.greeting)) addTurn('flow', localized(flow.greeting));
  for (const message of messages) {
    if (message.subject === flow.input) addAsked(message);
    if (message.subject === flow.output) showStored(message);
  }
  follow(Math.max(...messages.map((message) => message.offset)) + 1);
  byId('text').focus();
  return true;
}

// Its answer may have been on its way when the page was left.
function addAsked(message) {
  state.awaited.add(message.id);
  addTurn('user', message.text);
}

function showStored(message) {
  state.shown.add(message.id);
  state.awaited.delete(message.cause);
  const turn = addTurn('flow', message.text);
  if (message.headers && message.headers['x-route'] === 'person') turn.append(element('div', 'way', text('aPerson')));
}

function addTurn(kind, content) {
  const turn = element('div', `turn ${kind}`);
  if (kind === 'note') {
    turn.textContent = content;
  } else {
    turn.append(element('div', 'bubble', content));
  }
  byId('messages').append(turn);
  toBottom();
  return turn;
}

function toBottom() {
  const list = byId('messages');
  list.scrollTop = list.scrollHeight;
}

// --- one turn

async function say(words) {
  addTurn('user', words);
  const turn = addTurn('flow', '');
  const bubble = turn.querySelector('.bubble');
  bubble.classList.add('writing');
  bubble.setAttribute('aria-busy', 'true');
  const answer = { text: '', end: null, id: '', begun: performance.now() };
  const controller = new AbortController();
  state.controllers.add(controller);
  state.typedAt = 0;
  setWriting();
  try {
    await ask(words, answer, bubble, controller.signal);
    const passedOn = answer.end && answer.end.state === 'person' && !answer.end.reply_id;
    const waits = answer.end && answer.end.finish === 'waiting';
    const superseded = answer.end && answer.end.finish === 'superseded';
    if (superseded) {
      showOvertaken(turn, bubble, answer.text, 'superseded');
    } else if (answer.end && answer.end.reply_id && state.shown.has(answer.end.reply_id)) {
      showOvertaken(turn, bubble, '', 'together');
    } else {
      if (passedOn) bubble.remove();
      else if (!answer.text) bubble.textContent = text('noAnswer');
      if (waits) {
        state.awaited.add(answer.id);
        follow();
      } else if (answer.end) {
        showWay(turn, answer);
      }
    }
  } catch (fault) {
    showFault(turn, bubble, fault);
  }
  bubble.classList.remove('writing');
  bubble.removeAttribute('aria-busy');
  state.controllers.delete(controller);
  setWriting();
  toBottom();
}

// What a newer message took the place of stays, marked; of a burst one answer is shown.
function showOvertaken(turn, bubble, content, why) {
  content ? bubble.classList.add('overtaken') : bubble.remove();
  turn.append(element('div', 'way', text(why)));
}

// Tells the turn gate, while an answer is awaited, that more is being written.
function tellTyping() {
  const flow = currentFlow();
  const now = performance.now();
  if (!flow || !flow.turn || !flow.turn.settle_ms || !state.controllers.size || now - state.typedAt < 1500) return;
  state.typedAt = now;
  call(`/v1/conversations/${encodeURIComponent(state.conversation)}/typing`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ for_ms: 4000 }),
  }).catch(() => {});
}

async function ask(words, answer, bubble, signal) {
  const response = await call('/v1/chat/completions', {
    method: 'POST',
    signal,
    headers: { 'Content-Type': 'application/json', 'Qiao-Conversation': state.conversation },
    body: JSON.stringify({ model: byId('flow').value, stream: true, messages: [{ role: 'user', content: words }] }),
  });
  answer.id = response.headers.get('Qiao-Message-Id');
  await readEvents(response, (type, data) => {
    if (data === '[DONE]') return;
    const chunk = JSON.parse(data);
    if (chunk.error) throw new Error(chunk.error.message);
    takeChunk(chunk, answer, bubble);
  });
}

function takeChunk(chunk, answer, bubble) {
  if (chunk.qiao && chunk.qiao.reset) {
    answer.text = '';
  } else {
    answer.text += chunk.choices[0]?.delta.content || '';
    if (chunk.qiao) answer.end = { ...chunk.qiao, ms: performance.now() - answer.begun };
  }
  bubble.textContent = answer.text;
  toBottom();
}

function showFault(turn, bubble, fault) {
  if (fault.name === 'AbortError') {
    if (bubble.textContent) bubble.classList.add('overtaken');
    else bubble.remove();
    turn.append(element('div', 'way', text('stopped')));
    return;
  }
  bubble.classList.add('fault');
  bubble.textContent = fault.status || fault.message ? fault.message : text('lost');
}

function setWriting() {
  byId('stop').hidden = state.controllers.size === 0;
  byId('text').focus();
}

// --- how the answer came about

function showWay(turn, answer) {
  const end = answer.end;
  if (end.reply_id) state.shown.add(end.reply_id);
  const way = element('div', 'way');
  if (end.route) way.append(element('span', 'chip route', end.route));
  if (end.tier) way.append(element('span', 'chip', end.tier));
  const score = element('span', 'chip');
  score.hidden = true;
  way.append(score);
  for (const tool of new Set(end.tools || [])) way.append(element('span', 'chip', `${text('tools')} ${tool}`));
  way.append(element('span', '', milliseconds(end.ms)));
  const button = element('button', 'quiet', text('why'));
  button.type = 'button';
  button.setAttribute('aria-expanded', 'false');
  way.append(button);
  turn.append(way);
  addWhy(turn, button, score, answer.id);
  if (end.ended) addTurn('note', text('ended'));
  if (end.state === 'person' || end.finish === 'approval') followPerson();
}

// Rounded down: what is below a threshold never reads as if it had reached it.
const twoDigits = (score) => (Math.floor(score * 100 + 1e-6) / 100).toFixed(2);
// What the routes' examples had to reach; 0 where something else decided (an entry, a game, …).
const neededOf = (decision) => (['rule', 'semantic', 'reject'].includes(decision.tier) ? decision.threshold : 0);

const milliseconds = (ms) => (ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`);

async function addWhy(turn, button, score, id) {
  let why = null;
  try {
    why = await (await call(`/v1/messages/${encodeURIComponent(id)}/why?lang=${state.language}`)).json();
  } catch (fault) {
    button.hidden = true;
    return;
  }
  const decision = why.decision;
  if (decision && neededOf(decision) > 0 && decision.scores.length) {
    score.textContent = `${twoDigits(decision.scores[0].score)} / ${twoDigits(decision.threshold)}`;
    score.hidden = false;
  }
  const box = whyBox(why);
  box.hidden = true;
  turn.append(box);
  button.addEventListener('click', () => {
    box.hidden = !box.hidden;
    button.textContent = text(box.hidden ? 'why' : 'hide');
    button.setAttribute('aria-expanded', String(!box.hidden));
    if (!box.hidden) box.scrollIntoView({ block: 'nearest' });
  });
}

function whyBox(why) {
  const box = element('section', 'why');
  const decision = why.decision;
  if (why.explanation) box.append(element('p', '', why.explanation));
  if (decision && decision.reason) box.append(element('p', 'reason', decision.reason));
  if (decision && decision.scores && decision.scores.length) addScores(box, decision);
  addFound(box, why.annotations);
  addKnowledge(box, why.events);
  addFilters(box, why.events);
  const details = element('details');
  details.append(element('summary', '', `${text('events')} (${why.events.length})`));
  const lines = why.events.map((event) => `${event.type} ${JSON.stringify(event.data)}`);
  details.append(element('pre', '', lines.join('\n')));
  box.append(details);
  return box;
}

function addScores(box, decision) {
  const needed = neededOf(decision);
  box.append(element('h3', '', needed > 0 ? `${text('scores')} · ${text('needed')} ${twoDigits(needed)}` : text('scores')));
  const table = element('div', 'scores');
  decision.scores.slice(0, 6).forEach((scored, index) => {
    const bar = element('div', 'bar');
    const fill = element('div', index === 0 ? 'fill best' : 'fill');
    fill.style.width = `${Math.max(0, Math.min(1, scored.score)) * 100}%`;
    bar.append(fill);
    if (needed > 0) {
      const mark = element('div', 'mark-line');
      mark.style.left = `${Math.min(1, needed) * 100}%`;
      bar.append(mark);
    }
    table.append(element('span', 'name', scored.label), bar, element('span', 'number', twoDigits(scored.score)));
  });
  box.append(table);
}

function addChips(box, title, chips) {
  if (!chips.length) return;
  box.append(element('h3', '', title));
  const way = element('div', 'way');
  for (const chip of chips) way.append(element('span', 'chip', chip));
  box.append(way);
}

function addFound(box, annotations) {
  if (!annotations) return;
  const chips = [];
  if (annotations.language) chips.push(`${text('language')} ${annotations.language}`);
  if (annotations.sentiment) chips.push(`${text('mood')} ${annotations.sentiment.label} ${annotations.sentiment.score.toFixed(2)}`);
  for (const entity of annotations.entities || []) chips.push(`${entity.kind} ${entity.value}`);
  addChips(box, text('found'), chips);
}

function addKnowledge(box, events) {
  const hits = events.filter((event) => event.type === 'knowledge').flatMap((event) => event.data.hits || []);
  addChips(box, text('knowledge'), hits.map((hit) => `${hit.id} ${twoDigits(hit.score)}`));
}

function addFilters(box, events) {
  const verdicts = events.filter((event) => event.type === 'filter' && event.data.filter);
  addChips(box, text('filters'), verdicts.map(({ data }) => `${data.filter} ${text(data.passed === false ? 'rejected' : 'passed')}`));
}

// --- a person answers

function followPerson() {
  if (!state.person) addTurn('note', text('person'));
  state.person = true;
  follow();
}

// What comes without a turn of this page: from the log's offset `from` on, else from now on.
async function follow(from) {
  if (state.follower) return;
  const follower = new AbortController();
  state.follower = follower;
  const query = from === undefined ? '' : `?from=${from}`;
  const path = `/v1/topics/${encodeURIComponent(currentFlow().output)}/subscribe${query}`;
  try {
    const response = await call(path, { signal: follower.signal });
    await readEvents(response, (type, data) => {
      if (type === 'message') takeFromPerson(JSON.parse(data));
    });
  } catch (fault) {
    if (fault.name !== 'AbortError') addTurn('note', text('lost'));
  }
  if (state.follower === follower) state.follower = null;
}

// Answers of the flow itself come by the turn that asked for them.
function takeFromPerson(message) {
  if (message.conversation !== state.conversation || state.shown.has(message.id)) return;
  const route = message.headers && message.headers['x-route'];
  const late = message.headers && message.headers['x-after'];
  const awaited = state.awaited.delete(message.cause);
  if (route && route !== 'person' && !late && !awaited) return;
  state.shown.add(message.id);
  const turn = addTurn('flow', message.text);
  if (!late && !awaited) turn.append(element('div', 'way', text('aPerson')));
  toBottom();
}

// --- wiring

function grow() {
  const box = byId('text');
  box.style.height = 'auto';
  box.style.height = `${box.scrollHeight + 2}px`;
}

function wire() {
  byId('language').addEventListener('click', () => {
    state.language = state.language === 'zh' ? 'en' : 'zh';
    sessionStorage.setItem('qiao.language', state.language);
    applyLanguage();
  });
  byId('flow').addEventListener('change', begin);
  byId('fresh').addEventListener('click', begin);
  byId('stop').addEventListener('click', () => {
    for (const controller of state.controllers) controller.abort();
  });
  byId('unlock').addEventListener('submit', (event) => {
    event.preventDefault();
    state.key = byId('key').value.trim();
    byId('key').value = '';
    open();
  });
  byId('text').addEventListener('input', () => {
    grow();
    if (byId('text').value) tellTyping();
  });
  byId('text').addEventListener('keydown', (event) => {
    // Enter that ends the choice of a Chinese word is not the end of the message.
    if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    byId('say').requestSubmit();
  });
  byId('say').addEventListener('submit', (event) => {
    event.preventDefault();
    const words = byId('text').value.trim();
    if (!words || !currentFlow()) return;
    byId('text').value = '';
    grow();
    say(words);
  });
}

state.language = sessionStorage.getItem('qiao.language') || (navigator.language.startsWith('zh') ? 'zh' : 'en');
takeKey();
wire();
applyLanguage();
open();
