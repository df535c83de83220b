// SPDX-License-Identifier: Apache-2.0
// The official OpenAI client against a real server with the customer-service flow and a scripted
// model. Exit 77 (skipped, loudly) when the client cannot be installed.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test, { after, before } from 'node:test';

const root = path.resolve(import.meta.dirname ?? path.dirname(new URL(import.meta.url).pathname), '../..');
const binary = process.env.QIAO_BINARY ?? path.join(root, 'build/bin/qiao');
const folder = path.resolve(process.env.QIAO_OPENAI ?? path.join(root, 'build/openai'));
const key = 'openai-test-key';

const installed = spawnSync(path.join(root, 'tools/openai_client'), [folder], { encoding: 'utf8' });
if (installed.status !== 0) {
  console.error(`SKIPPED: the openai client cannot be installed:\n${installed.stderr}`);
  process.exit(77);
}
const OpenAI = createRequire(path.join(folder, 'package.json'))('openai').OpenAI;

const script = `script:
  - { when: weather, say: "", tool_calls: [ { name: weather, arguments: { city: Paris } } ] }
  - { when: person, say: '{"name":"Ann","age":7}' }
  - { when: stop here, say: "one two three" }
  - { when: "", say: "Hello from the script." }
`;
const data = mkdtempSync(path.join(tmpdir(), 'qiao-openai-'));
let server;
let client;

before(async () => {
  writeFileSync(path.join(data, 'script.yaml'), script);
  writeFileSync(path.join(data, 'qiao.yaml'),
    'models:\n  chat: { engine: scripted, path: script.yaml }\n  words: { engine: scripted, path: script.yaml, encoder: true }\n');
  server = spawn(binary, ['serve', '--data', path.join(data, 'data'), '--listen', '127.0.0.1:0', '--key', key,
    path.join(root, 'examples/customer-service')],
    { cwd: data, env: { ...process.env, QIAO_MODELS: path.join(data, 'none') }, stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  for (const stream of [server.stdout, server.stderr]) stream.on('data', (bytes) => { said += bytes; });
  const url = await ready(() => said);
  client = new OpenAI({ baseURL: `${url}/v1`, apiKey: key, maxRetries: 0 });
});

after(() => {
  server?.kill('SIGTERM');
  rmSync(data, { recursive: true, force: true });
});

async function ready(said) {
  for (const end = Date.now() + 60_000; Date.now() < end; await new Promise((wake) => setTimeout(wake, 50))) {
    assert.equal(server.exitCode, null, `serve ended: ${said()}`);
    try {
      const { url } = JSON.parse(readFileSync(path.join(data, 'data/server.json'), 'utf8'));
      if ((await fetch(`${url}/readyz`)).ok) return url;
    } catch { /* not there yet */ }
  }
  throw new Error(`not ready: ${said()}`);
}

const user = (content) => ({ role: 'user', content });
const ask = (content, more = {}) => client.chat.completions.create({ model: 'chat', messages: [user(content)], ...more });

test('models lists flows and models, and finds one', async () => {
  const names = (await client.models.list()).data.map((model) => model.id);
  for (const name of ['customer-service', 'chat', 'words']) assert.ok(names.includes(name), name);
  assert.equal((await client.models.retrieve('customer-service')).owned_by, 'qiao');
});

test('a flow answers, and its route can be asked for', async () => {
  const { data: answer, response } = await client.chat.completions.create(
    { model: 'customer-service', messages: [user('满多少包邮？')] }).withResponse();
  assert.match(answer.choices[0].message.content, /99/);
  assert.equal(answer.choices[0].finish_reason, 'stop');
  assert.equal(answer.object, 'chat.completion');
  const why = await client.get(`/messages/${response.headers.get('Qiao-Message-Id')}/why`);
  assert.ok(why.decision.route);
});

test('a flow streams, with usage last', async () => {
  const stream = await client.chat.completions.create({
    model: 'customer-service', stream: true, stream_options: { include_usage: true }, messages: [user('Do you ship abroad?')] });
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  assert.equal(chunks[0].choices[0].delta.role, 'assistant');
  assert.ok(chunks.map((chunk) => chunk.choices[0]?.delta.content ?? '').join('').length > 0);
  assert.equal(chunks.at(-2).choices[0].finish_reason, 'stop');
  assert.equal(chunks.at(-1).choices.length, 0);
  assert.ok(chunks.at(-1).usage.total_tokens >= 0);
});

test('several turns of a plain client stay in one conversation', async () => {
  const messages = [user('where is my order')];
  const seen = [];
  for (const next of ['QX20260101', 'thank you', null]) {
    const { data: answer, response } = await client.chat.completions.create({ model: 'customer-service', messages }).withResponse();
    seen.push(response.headers.get('Qiao-Conversation'));
    messages.push(answer.choices[0].message, user(next ?? ''));
  }
  assert.equal(new Set(seen).size, 1);
  const other = await client.chat.completions.create({ model: 'customer-service', messages: [user('where is my order')] }).withResponse();
  assert.notEqual(other.response.headers.get('Qiao-Conversation'), seen[0]);
});

test('a named conversation is kept', async () => {
  const { response } = await client.chat.completions.create({ model: 'customer-service', messages: [user('hello')] },
    { headers: { 'Qiao-Conversation': 'mine' } }).withResponse();
  assert.equal(response.headers.get('Qiao-Conversation'), 'mine');
});

test('a model answers and streams', async () => {
  const answer = await ask('hi');
  assert.equal(answer.choices[0].message.content, 'Hello from the script.');
  assert.ok(answer.usage.total_tokens > 0);
  let text = '';
  for await (const chunk of await ask('hi', { stream: true })) text += chunk.choices[0]?.delta.content ?? '';
  assert.equal(text, 'Hello from the script.');
});

test('tools are called, in both forms', async () => {
  const tools = [{ type: 'function', function: { name: 'weather', description: 'The weather', parameters: { type: 'object', properties: { city: { type: 'string' } } } } }];
  const answer = await ask('the weather in Paris?', { tools });
  const call = answer.choices[0].message.tool_calls[0];
  assert.equal(answer.choices[0].finish_reason, 'tool_calls');
  assert.deepEqual([call.type, call.function.name, JSON.parse(call.function.arguments).city], ['function', 'weather', 'Paris']);
  const streamed = await client.chat.completions.stream({ model: 'chat', messages: [user('the weather in Paris?')], tools }).finalMessage();
  assert.equal(streamed.tool_calls[0].function.name, 'weather');
});

test('a JSON schema is taken', async () => {
  const schema = { type: 'object', properties: { name: { type: 'string' }, age: { type: 'integer' } }, required: ['name', 'age'], additionalProperties: false };
  const answer = await client.chat.completions.parse({
    model: 'chat', messages: [user('a person, please')],
    response_format: { type: 'json_schema', json_schema: { name: 'person', strict: true, schema } } });
  assert.equal(JSON.parse(answer.choices[0].message.content).age, 7);
});

test('embeddings come as numbers, also by base 64', async () => {
  const input = ['red umbrella', 'red umbrellas', '完全不同'];
  const floats = await client.embeddings.create({ model: 'words', input, encoding_format: 'float' });
  const decoded = await client.embeddings.create({ model: 'words', input });  // the client asks for base 64
  assert.equal(floats.data.length, 3);
  floats.data[0].embedding.forEach((value, i) => assert.ok(Math.abs(value - decoded.data[0].embedding[i]) < 1e-6));
});

test('errors have the types the client knows', async () => {
  const wrong = new OpenAI({ baseURL: client.baseURL, apiKey: 'wrong-key-here', maxRetries: 0 });
  await assert.rejects(wrong.models.list(), OpenAI.AuthenticationError);
  await assert.rejects(client.chat.completions.create({ model: 'nope', messages: [user('x')] }), OpenAI.NotFoundError);
  await assert.rejects(ask('x', { temperature: 9 }), OpenAI.BadRequestError);
  await assert.rejects(ask('x', { n: 2 }), OpenAI.UnprocessableEntityError);
  await assert.rejects(ask('x', { temprature: 1 }), /did you mean 'temperature'/);
  await assert.rejects(client.chat.completions.create({ model: 'customer-service', messages: [user('x')], tools: [{ type: 'function', function: { name: 'f' } }] }),
    OpenAI.UnprocessableEntityError);
});
