// What each part of the page shows of `now`, the results of the present choice.
"use strict";

const here = () => ({ step: state.look, word: worded(now.of) ? ` (“${read[state.look]}”)` : "" });
const atStep = (step) => (worded(now.of) ? `“${read[step]}”` : `step ${step + 1}`);
const cueStep = () => (worded(now.of) ? cueOf(now.of, read) : state.first);
const main = () => now.rows.find((row) => row.chosen) || now.rows[0];

function renderRead() {
  const { of, xs, T } = now;
  if (worded(of)) {
    const cue = cueStep();
    $("read-caption").textContent = cue < 0 ? "No word here decides the answer." : `The answer hangs on “${read[cue]}”, ${T - 1 - cue} words before the end.`;
    pictures.push(drawWords($("read"), read, cue, `The sentence: ${read.join(" ")}`));
  } else {
    const [one, two] = [xs[state.first][0], xs[state.second][0]].map((value) => value.toFixed(2));
    $("read-caption").textContent = `The two marked numbers, ${one} and ${two}, are all that counts. Click on a bar and the nearer mark moves there.`;
    pictures.push(drawNumbers($("read"), xs, `${T} numbers; steps ${state.first + 1} and ${state.second + 1} are marked`));
  }
}

// The error of one cell by step; relative: to that one step before the loss.
const flowOf = ({ flow }) => (state.relative && flow.length > 1 ? flow.map((value) => value / flow[flow.length - 2]) : flow);

function renderError() {
  const row = main();
  const before = state.moment === "initial" ? null : computed(now.of.name, row.name, state.seed, "initial", now.xs, now.y);
  const lost = row.found.flow.length > 1 ? row.found.flow[0] / row.found.flow[now.T - 2] : 1;
  $("error-caption").textContent =
    "The lower a curve, the less of the answer's mistake is felt at that step (norm of dL/dz, log axis).";
  $("arrives").textContent =
    `In the ${row.label}, ${percent(lost)} of the error one step before the loss arrives at the first step.`;
  const curves = now.rows.map((one) => ({ ...one, values: flowOf(one.found) }));
  const key = (one) => {
    const sample = element("svg", { width: 34, height: 10, "aria-hidden": "true" });
    sample.append(element("path", { d: "M0 5L34 5", class: one.class, stroke: one.colour, "stroke-dasharray": one.chosen ? "" : one.dash }));
    return element("span", one.chosen ? { class: "chosen" } : {}, sample, one.label);
  };
  const keys = curves.map((one) => key({ ...one, class: one.chosen ? "line chosen" : "line" }));
  if (before) keys.push(key({ class: "line past", colour: row.colour, dash: "1 4", label: `${row.label} before training` }));
  $("legend").replaceChildren(...keys);
  const about = `Error by distance from the loss. ${curves.map((one) => `${one.label}: ${shown(one.values[0])} at the first step, ${shown(one.values[now.T - 1])} at the last`).join("; ")}.`;
  pictures.push(drawError($("error"), curves, before && flowOf(before), about));
  slider("look", state.look + 1, 1, now.T);
}

function rgb(variable) {
  const hex = getComputedStyle(document.documentElement).getPropertyValue(variable).trim().slice(1);
  const pairs = hex.length === 3 ? [...hex].map((digit) => digit + digit) : hex.match(/../g);
  return pairs.map((pair) => parseInt(pair, 16));
}

const KEEPS = { lstm: "f", gru: "z", ugrnn: "g" }; // the gate that keeps the memory

// The units in the order of how open their keeping gate is in the mean, or of their last state.
function unitOrder(cell, found) {
  const rows = found.gates[KEEPS[cell.name]] || found.states[0].slice(-1);
  const open = rows[0].map((_, unit) => mean(rows.map((row) => row[unit])));
  return open.map((_, unit) => unit).sort((a, b) => open[b] - open[a]);
}

function renderStrips() {
  const { found, cell, label } = main(), names = Object.keys(found.gates), signed = !names.length;
  const order = unitOrder(cell, found), sorted = (rows) => rows.map((row) => order.map((unit) => row[unit]));
  $("strips-title").textContent = signed ? `The state of the ${label}` : `The gates of the ${label}`;
  $("strips-caption").textContent = signed
    ? "A row is a unit, a column a step: a unit that remembers keeps its colour from step to step."
    : "A row is a unit, a column a step: a stripe from end to end is a gate that never moves, a change of colour one that reacts to what is read. On top the units that keep most.";
  const half = (rows) => rows.map((row) => row.map((value) => (1 + value) / 2));
  const strips = signed
    ? [{ name: "state h of every unit, −1 to 1", rows: sorted(half(found.states[0])) }]
    : names.map((gate) => ({ name: GATES[cell.name]?.[gate] || gate, rows: sorted(found.gates[gate]) }));
  const colours = signed ? ["--negative", "--low", "--high"] : ["--low", "--high"];
  const means = strips.map((strip) => `${strip.name}, ${shown(mean(strip.rows.flat()))} in the mean`);
  pictures.push(drawStrips($("strips"), strips, colours.map(rgb), means.join("; ")));
  $("scale-low").textContent = signed ? "−1" : "0, closed";
  $("scale-high").textContent = signed ? "1" : "1, open";
  document.querySelector(".ramp").classList.toggle("signed", signed);
}

function answerOf({ outputs }) {
  const shares = softmax(outputs), best = shares.indexOf(Math.max(...shares));
  return { share: shares[now.y], said: `“${now.of.classes[best]}”, ${percent(shares[best])}` };
}

// The same sentence for who hears the page and for the picture's description.
function tell(parts) {
  const said = `${momentLabel(state.moment)}: ${parts.join("; ")}.`;
  $("said").textContent = said;
  return said;
}

function renderAnswers() {
  const rows = now.rows.map((row) => ({ ...row, value: row.found.outputs[0] }));
  if (worded(now.of)) {
    const answers = now.rows.map((row) => ({ ...row, ...answerOf(row.found) })), asked = now.of.classes[now.y];
    $("answers-caption").textContent = `The bar is the probability of “${asked}”, the text the likeliest answer.`;
    drawVerbs($("answers"), answers, tell(answers.map((row) => `${row.label} answers ${row.said}`)));
  } else {
    $("answers-caption").textContent = "The longer the line, the further the answer is from the truth; 1 is what guessing answers.";
    const answers = rows.map((row) => `${row.label} answers ${row.value.toFixed(2)}`);
    drawAnswers($("answers"), rows, now.y[0], tell([...answers, `the truth is ${now.y[0].toFixed(2)}`]));
  }
}

function renderTraining() {
  const of = now.of, accuracy = of.score === "accuracy", row = main();
  const points = (cell) => (runOf(cell, state.seed)?.curve || []).filter(([, score]) => score !== null);
  const curves = of.cells.map((cell, place) => ({ points: points(cell), chosen: cell === row.cell, colour: `var(--cell-${place % 4})`, dash: DASHES[place % DASHES.length] }));
  const { epoch } = momentOf(row.cell, state.seed, state.moment), dot = points(row.cell).find(([at]) => at === epoch);
  const score = dot ? (accuracy ? percent(dot[1]) : dot[1].toFixed(3)) : "unknown";
  $("training-caption").textContent = accuracy
    ? `Share of right answers on the validation part by epoch: higher is better. The circle is where you are, ${row.label}, epoch ${epoch}: ${score}.`
    : `Error (RMSE) on the validation part by epoch: lower is better. The circle is where you are, ${row.label}, epoch ${epoch}: ${score}.`;
  drawTraining($("training"), curves, { chance: of.chance, percent: accuracy, dot }, `Validation score by epoch; ${row.label}, ${momentLabel(state.moment)}: ${score}`);
}

const VALUES = {
  share: ["Share of the answer's gradient", (T) => `The stronger a word's colour, the more the answer would change with it: its share of dL/dx. An equal share would be ${percent(1 / T)}.`],
  keeps: ["Memory kept at the word", () => "The stronger a word's colour, the more of its memory a cell keeps while it reads that word, mean over units. A vanilla RNN has no such path: 0."],
};

function renderWords() {
  if (!worded(now.of)) return;
  choice($("value"), Object.entries(VALUES).map(([name, [label]]) => [name, label]), state.value, (name) => (state.value = name));
  $("value-caption").textContent = VALUES[state.value][1](now.T);
  $("chips").replaceChildren(...now.rows.map(({ label, found }) => {
    const values = found[state.value], most = state.value === "share" ? Math.max(...values) : 1;
    const chips = read.map((word, step) => {
      const shade = Number.isFinite(values[step]) ? (100 * values[step]) / (most || 1) : 0;
      return element("span", { class: "chip", "data-step": step, style: `--share: ${shade.toFixed(1)}%` }, word, element("small", {}, percent(values[step])));
    });
    const row = document.createElement("div");
    row.className = "row";
    row.append(element("strong", {}, `${label}: ${answerOf(found).said}`), element("p", {}, ...chips));
    return row;
  }));
}

// What changes with the step looked at alone.
function renderLook() {
  const { step, word } = here(), back = now.T - 1 - step;
  for (const picture of pictures) moveCursor(picture, step);
  $("look").value = step + 1;
  $("look-out").textContent = `${step + 1} of ${now.T}${word}`;
  const heads = ["", `error at ${atStep(step)}, ${back} before the loss`, "of that one step before the loss", "memory kept there"];
  const cells = now.rows.map(({ label, found, chosen: on }) => {
    const one = found.flow[Math.max(now.T - 2, 0)];
    const row = [shown(found.flow[step]), percent(found.flow[step] / one), percent(found.keeps[step])];
    return element("tr", on ? { class: "chosen" } : {}, element("th", { scope: "row" }, label), ...row.map((said) => element("td", {}, said)));
  });
  const head = document.createElement("thead"), body = document.createElement("tbody");
  head.append(element("tr", {}, ...heads.map((said) => element("th", { scope: "col" }, said))));
  body.append(...cells);
  $("numbers").replaceChildren(head, body);
  for (const chip of document.querySelectorAll(".chip")) chip.classList.toggle("here", Number(chip.dataset.step) === step);
}
