'use strict';
// Running a program of minutes that may hang: with a time limit, a look at it now and then, and an end on Ctrl-C. A GPU's
// kernel that never ends keeps its process from hearing a signal, so what does not end by itself is killed.
const fs = require('node:fs');
const { spawn } = require('node:child_process');
const { root } = require('./run.js');

/** Milliseconds that a program gets to write down what it has, once it was told to end. */
const GRACE = 10e3;

/** The processes that a process has started, and theirs; none where the system does not tell. */
function descendants(pid) {
  let numbers = [];
  try {
    numbers = fs.readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  } catch {
    return [];
  }
  const children = new Map();
  for (const number of numbers) {
    try {
      // Behind the name, which stands in parentheses and may hold anything: the state and the parent.
      const stat = fs.readFileSync(`/proc/${number}/stat`, 'utf8');
      const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
      children.set(parent, [...(children.get(parent) ?? []), Number(number)]);
    } catch {
      // it has ended meanwhile
    }
  }
  const below = (parent) => (children.get(parent) ?? []).flatMap((child) => [child, ...below(child)]);
  return below(pid);
}

function kill(processes) {
  for (const one of processes) {
    try {
      process.kill(one, 'SIGKILL');
    } catch {
      // it has ended meanwhile
    }
  }
}

let interrupted = false;
const listeners = new Set();

/** From here on a signal does not end this process: it ends what runs, and `isInterrupted()` says so. */
function catchInterrupts() {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.on(signal, () => {
      interrupted = true;
      for (const listener of listeners) listener();
    });
  }
}

const isInterrupted = () => interrupted;

/**
 * Runs a program in the project's root. Resolves with its exit code (null where it was ended), what it printed (where
 * `stdout` is 'pipe'; 'inherit' and 'ignore' are the others) and, where it was ended, why: 'no time was left' or
 * 'interrupted'. `deadline`: when, by Date.now(), after which it has `grace` milliseconds before it is killed; `look` is called every `every` milliseconds while it runs.
 */
function watch(
  command,
  args,
  { env = {}, deadline = Number.POSITIVE_INFINITY, stdout = 'inherit', look, every, grace = GRACE } = {},
) {
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      cwd: root,
      env: { ...process.env, ...env },
      stdio: ['ignore', stdout, 'inherit'],
    });
    let ended = null;
    let text = '';
    let over = false;
    let started = []; // by the child: what outlives it would keep the GPU
    const timers = [];
    const end = (why) => {
      if (ended !== null || over) return;
      ended = why;
      started = descendants(child.pid);
      child.kill('SIGTERM');
      timers.push(setTimeout(() => kill([...descendants(child.pid), child.pid]), grace));
    };
    const onInterrupt = () => end('interrupted');
    listeners.add(onInterrupt);
    if (Number.isFinite(deadline))
      timers.push(setTimeout(() => end('no time was left'), Math.max(0, deadline - Date.now())));
    if (look) timers.push(setInterval(look, every));
    child.stdout?.on('data', (chunk) => {
      text += chunk;
    });
    const settle = (status, error) => {
      if (over) return;
      over = true;
      listeners.delete(onInterrupt);
      for (const timer of timers) clearTimeout(timer);
      kill(started);
      resolve({ status: ended === null ? status : null, stdout: text, ended, error });
    };
    child.on('error', (error) => settle(null, error));
    child.on('close', (status, signal) =>
      settle(status, signal === null ? undefined : new Error(`ended by ${signal}`)),
    );
    if (interrupted) end('interrupted');
  });
}

module.exports = { watch, catchInterrupts, isInterrupted };
