// The page: what the reader chose, what follows from it, and what is drawn of it.
"use strict";

const $ = (id) => document.getElementById(id);
const DATA = JSON.parse($("data").textContent);
const WORDS_AT_MOST = 60;
const MOMENTS = { initial: "before training", trained: "trained" };
const momentLabel = (name) => MOMENTS[name] || `after ${name}`;
const momentChoice = ({ name, epoch }) => (name === "trained" ? `${momentLabel(name)} (epoch ${epoch}, its best)` : momentLabel(name));
const GATES = {
  lstm: { i: "input gate i: how much of what is new enters", f: "forget gate f: how much of the memory stays", o: "output gate o: how much of the memory shows" },
  gru: { r: "reset gate r: how much a candidate sees", z: "update gate z: how much of the old state stays" },
  ugrnn: { g: "gate g: how much of the old state stays" },
};

// The first numbers add up to much more than 1, which is what guessing answers.
const state = { problem: DATA.problems[0].name, cell: "", seed: 0, moment: "trained", numbers: 22, steps: 0, first: 0, second: 0, sentence: "", typing: false, answer: 0, look: 0, relative: false, value: "share" };
const problemOf = (name) => DATA.problems.find((one) => one.name === name);
const problem = () => problemOf(state.problem);
const chosen = () => problem().cells.find((one) => one.name === state.cell) || problem().cells[0];
const runOf = (cell, seed) => cell.seeds.find((one) => one.seed === seed);
const momentOf = (cell, seed, moment) => runOf(cell, seed)?.moments.find((one) => one.name === moment);
const worded = (one) => Boolean(one.words);

const trees = new Map();
function treeOf(of, cell, seed, moment) {
  const found = momentOf(cell, seed, moment), key = [of.name, cell.name, seed, moment].join("/");
  if (found && !trees.has(key)) trees.set(key, unpack(found.weights, cell.shapes));
  return found && trees.get(key);
}

// What `compute` gives of one network of the page; null where the study has no such moment of it.
function computed(problemName, cellName, seed, moment, xs, y) {
  const of = problemOf(problemName), cell = of.cells.find((one) => one.name === cellName);
  const tree = treeOf(of, cell, seed, moment);
  return tree ? compute(cellName, tree, of.loss, xs, y) : null;
}

// Uniform numbers in 0..1 from a seed (mulberry32): the same ones for every length.
function generator(seed) {
  let a = seed >>> 0;
  return () => {
    a = (a + 0x6d2b79f5) >>> 0;
    let t = Math.imul(a ^ (a >>> 15), a | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

function addingSequence() {
  const next = generator(state.numbers), xs = [];
  for (let t = 0; t < state.steps; t++) xs.push([next(), t === state.first || t === state.second ? 1 : 0]);
  return { xs, y: [xs[state.first][0] + xs[state.second][0]] };
}

const split = (said) => said.toLowerCase().split(/\s+/).filter(Boolean);
const isWord = (of, word) => of.words.indexOf(word) > 0; // 0 is padding

// The last word that decides an answer: a subject, or a country; -1 where there is none.
const cueOf = (of, words) => words.reduce((last, word, place) => (Object.hasOwn(of.cues, word) ? place : last), -1);

// The sentence to compute, and what is wrong with the one that was typed.
function readSentence() {
  const of = problem(), words = split(state.sentence), last = words[words.length - 1];
  // A word that is still being typed is no fault yet.
  const unfinished = state.typing && last && !isWord(of, last) && of.words.some((word) => word.startsWith(last));
  if (unfinished && !/\s$/.test(state.sentence)) words.pop();
  const unknown = [...new Set(words.filter((word) => !isWord(of, word)))];
  if (unknown.length) return { fault: `Not among the task's words: ${unknown.map((word) => `“${word}”`).join(", ")}.` };
  if (!words.length) return { fault: "Type at least one word." };
  if (words.length > WORDS_AT_MOST) return { fault: `${words.length} words: at most ${WORDS_AT_MOST}.` };
  return { words };
}

let read = []; // the words of the last sentence without a fault
function sentenceSequence() {
  return { xs: read.map((word) => problem().words.indexOf(word)), y: state.answer };
}

// Everything that is drawn of the present choice: a row a cell.
function results() {
  const of = problem(), { xs, y } = worded(of) ? sentenceSequence() : addingSequence();
  const rows = of.cells.map((cell, place) => ({
    cell, name: cell.name, label: cell.label, chosen: cell === chosen(), place, dash: DASHES[place % DASHES.length],
    colour: `var(--cell-${place % 4})`, found: computed(of.name, cell.name, state.seed, state.moment, xs, y),
  }));
  return { of, xs, y, rows: rows.filter((row) => row.found), T: xs.length };
}

let now = null;
let pictures = [];

function update() {
  for (const render of [renderControls, renderSequence]) render();
  now = results();
  state.look = clamp(state.look, 0, now.T - 1);
  pictures = [];
  for (const render of [renderRead, renderError, renderStrips, renderAnswers, renderTraining, renderWords, renderLook]) render();
}

function choice(host, options, value, choose) {
  const had = host.contains(document.activeElement);
  host.replaceChildren(...options.map(([option, label]) => {
    const input = element("input", { type: "radio", name: host.id, value: option });
    input.checked = String(option) === String(value);
    input.addEventListener("change", () => (choose(option), update()));
    return element("label", {}, input, element("span", {}, label));
  }));
  if (had) host.querySelector(":checked")?.focus();
}

function renderControls() {
  const of = problem(), cell = chosen();
  state.cell = cell.name;
  if (!runOf(cell, state.seed)) state.seed = cell.seeds[0].seed;
  const moments = runOf(cell, state.seed).moments;
  if (!moments.some((one) => one.name === state.moment)) state.moment = moments[moments.length - 1].name;
  choice($("problem"), DATA.problems.map((one) => [one.name, one.label]), of.name, open);
  choice($("cell"), of.cells.map((one) => [one.name, one.label]), cell.name, (name) => (state.cell = name));
  choice($("moment"), moments.map((one) => [one.name, momentChoice(one)]), state.moment, (name) => (state.moment = name));
  choice($("seed"), cell.seeds.map((one) => [one.seed, one.seed]), state.seed, (seed) => (state.seed = seed));
}

// Another problem, with the sequence that it starts with.
function open(name) {
  state.problem = name;
  const of = problem();
  if (worded(of)) say([...Array(3)].reduce((words) => longer(of, words), split(of.sentences[0])).join(" "));
  else stretch(of.steps);
}

function stretch(steps) {
  const [first, second] = state.steps ? [state.first / state.steps, state.second / state.steps] : [0.1, 0.6];
  state.steps = steps;
  state.first = clamp(Math.round(first * steps), 0, steps - 2);
  state.second = clamp(Math.round(second * steps), state.first + 1, steps - 1);
  state.look = state.first;
}

function say(sentence) {
  const of = problem();
  state.sentence = sentence;
  const { words } = readSentence();
  if (!words) return;
  read = words;
  const cue = cueOf(of, words);
  state.answer = cue < 0 ? 0 : of.classes.indexOf(of.cues[words[cue]]);
  state.look = Math.max(cue, 0);
}

function renderSequence() {
  const of = problem();
  $("adding").hidden = worded(of);
  $("agreement").hidden = $("by-word").hidden = !worded(of);
  if (worded(of)) renderSentence(of);
  else renderSliders(of);
}

function slider(id, value, low, high) {
  Object.assign($(id), { min: low, max: high });
  $(id).value = value;
  $(`${id}-out`).textContent = value;
}

function renderSliders(of) {
  slider("steps", state.steps, 4, 4 * of.steps);
  slider("first", state.first + 1, 1, state.steps - 1);
  slider("second", state.second + 1, 2, state.steps);
  $("trained-on").textContent = `The cells were trained on ${of.steps} steps, with a mark in each half.`;
}

function renderSentence(of) {
  const { fault } = readSentence();
  $("fault").textContent = fault ? `${fault} Below is still “${read.join(" ")}”.` : "";
  $("sentence").setAttribute("aria-invalid", Boolean(fault));
  if (document.activeElement !== $("sentence")) $("sentence").value = state.sentence;
  const before = state.sentence.replace(/\S*$/, "");
  $("offered").replaceChildren(...of.words.slice(1).map((word) => element("option", { value: before + word })));
  if (!$("answer").options.length) offer(of);
  $("answer").value = state.answer;
}

// What changes the sentence, made once, so that a button keeps the focus.
function offer(of) {
  const button = (label, act) => {
    const made = element("button", { type: "button" }, label);
    made.addEventListener("click", () => ((state.typing = false), say(act()), update()));
    return made;
  };
  $("answer").replaceChildren(...of.classes.map((answer, k) => element("option", { value: k }, answer)));
  $("examples").replaceChildren(
    button("One clause more", () => longer(of, read).join(" ")),
    button("One clause fewer", () => shorter(read).join(" ")),
    button("Subject: one ↔ many", () => read.map((word) => twin(of, word)).join(" ")),
    ...of.sentences.map((sentence, k) => button(`Example ${k + 1}`, () => sentence)),
  );
  $("words").replaceChildren(...of.words.slice(1).map((word) => button(word, () => `${state.sentence} ${word}`.trim())));
}

const longer = (of, words) => [...words, "and", ...of.clause.map((kind) => kind[words.length % kind.length])];
const shorter = (words) => words.slice(0, Math.max(words.lastIndexOf("and"), 1));
function twin(of, word) {
  const other = Object.entries(of.twins).find((pair) => pair.includes(word));
  return other ? other[1 - other.indexOf(word)] : word;
}

// Experiments: what to set, and the question to answer by looking.
function experiments() {
  const names = DATA.problems.map((one) => one.name), found = [];
  const last = () => { const { moments } = runOf(chosen(), state.seed) || chosen().seeds[0]; return moments[moments.length - 1].name; };
  if (names.includes("adding")) {
    found.push(["Before training, and after", "Whose error still arrives at the first step? Step through the moments of training: whose curve falls, and does its answer get better?", () => (open("adding"), (state.moment = "initial"))]);
    found.push(["Longer than trained", "Four times the length: draw other numbers a few times. Whose answer still follows the truth?", () => (open("adding"), stretch(4 * problem().steps), (state.moment = last()))]);
  }
  if (names.includes("agreement")) {
    found.push(["One subject or many", "Change the subject from one to many, and every verb should change. Add clauses, far more than the cells were trained with: does one of them lose the subject?", () => (open("agreement"), (state.moment = last()))]);
  }
  return found;
}

function listExperiments() {
  $("list").replaceChildren(...experiments().map(([title, question, act]) => {
    const button = element("button", { type: "button" }, element("strong", {}, title), element("small", {}, question));
    button.addEventListener("click", () => (act(), update()));
    return element("li", {}, button);
  }));
}

function moveMark(step) {
  const nearer = Math.abs(step - state.first) <= Math.abs(step - state.second) ? "first" : "second";
  setMark(nearer, step);
}
function setMark(which, step) {
  if (which === "first") state.first = clamp(step, 0, state.second - 1);
  else state.second = clamp(step, state.first + 1, state.steps - 1);
  state.look = state[which];
}

function listen() {
  const on = (id, event, act) => $(id).addEventListener(event, (happened) => act($(id), happened));
  on("steps", "input", ({ value }) => (stretch(Number(value)), update()));
  for (const which of ["first", "second"]) on(which, "input", ({ value }) => (setMark(which, Number(value) - 1), update()));
  on("draw", "click", () => ((state.numbers += 1), update()));
  on("sentence", "input", ({ value }) => ((state.typing = true), say(value), update()));
  on("sentence", "change", ({ value }) => ((state.typing = false), say(value), update()));
  on("answer", "change", ({ value }) => ((state.answer = Number(value)), update()));
  on("look", "input", ({ value }) => ((state.look = Number(value) - 1), renderLook()));
  on("relative", "change", ({ checked }) => ((state.relative = checked), update()));
  on("controls", "submit", (form, event) => event.preventDefault());
  for (const id of ["read", "error", "strips"]) {
    const step = (event) => stepAt(pictures.find((one) => $(id).contains(one.svg)), event.clientX);
    on(id, "pointermove", (host, event) => ((state.look = step(event)), renderLook()));
    if (id === "read") on(id, "click", (host, event) => { if (!worded(problem())) { moveMark(step(event)); update(); } });
  }
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", update);
  let width = innerWidth;
  addEventListener("resize", () => { if (innerWidth !== width) { width = innerWidth; update(); } });
}

open(state.problem);
listExperiments();
listen();
update();
window.explorer = { compute: computed, state, update };
