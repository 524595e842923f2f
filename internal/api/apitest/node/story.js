'use strict';

// The story that every Node.js SDK tells: see Tale and inGo in the Go files one folder up. The SDK's own way of making calls is in `open`,
// which returns run(script), read(id), stop(id), agents() and codeOf(error) for a target. read asks for the machines before the whole, so that
// the whole is never older than they are.

const { setTimeout: delay } = require('node:timers/promises');

const env = (name) => {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set`);
  return value;
};

const target = () => ({ host: env('HOST'), key: env('KEY'), secret: env('SECRET'), nodes: env('NODES').split(',') });

const timeout = () => Number(env('TIMEOUT'));

async function until(sdk, id, wanted) {
  const deadline = Date.now() + 60_000;
  for (;;) {
    const reading = await sdk.read(id);
    if (wanted(reading)) return reading;
    if (Date.now() > deadline) throw new Error(`${id} is still ${JSON.stringify(reading)}`);
    await delay(50);
  }
}

async function tell(open) {
  const at = target();
  const sdk = open(at);
  const active = env('ACTIVE').split(',');
  const all = ({ nodes }, test) => Object.keys(nodes).length > 0 && Object.values(nodes).every(({ words }) => test(words[0]));
  const over = (state) => !active.includes(state);
  const ended = (reading) => over(reading.words[0]) && all(reading, over);
  const running = (reading) => all(reading, (state) => state === env('RUNNING'));

  const failed = { id: await sdk.run(env('FAILING')) };
  failed.reading = await until(sdk, failed.id, ended);

  const stopped = { id: await sdk.run(env('ENDLESS')) };
  await until(sdk, stopped.id, running);
  await sdk.stop(stopped.id);
  stopped.reading = await until(sdk, stopped.id, ended);

  const agents = await sdk.agents();

  let refusal = 'none';
  try {
    await open({ ...at, secret: `${at.secret}x` }).run(env('FAILING'));
  } catch (error) {
    refusal = sdk.codeOf(error);
  }
  return { failed, stopped, agents, refusal };
}

// main prints the tale, or fails with what went wrong.
function main(open) {
  tell(open).then(
    (tale) => process.stdout.write(JSON.stringify(tale)),
    (error) => {
      process.stderr.write(`${error.stack}\n${JSON.stringify(error.data ?? {})}\n`);
      process.exitCode = 1;
    },
  );
}

// words leaves out the empty ones.
const words = (...list) => list.filter((word) => word);

module.exports = { main, timeout, words };
