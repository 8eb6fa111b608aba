// The pictures, in SVG. Those over time share one axis: the steps from left to right, the loss after the last one.
"use strict";

const SVG = "http://www.w3.org/2000/svg";
const MARGIN = { left: 46, right: 10 };
const DASHES = ["", "7 3", "2 3", "9 3 2 3"];
const DEEPEST = 16; // decades that the error's axis shows at most

// An SVG or HTML element with attributes; children are elements or text, and text stays text.
function element(tag, attributes = {}, ...children) {
  const html = /^(p|span|button|label|input|option|td|th|tr|strong|small|li)$/.test(tag);
  const made = html ? document.createElement(tag) : document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

const text = (x, y, said, more = {}) => element("text", { x, y, ...more }, said);
const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
const path = (points) => points.map(([x, y], place) => `${place ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`).join("");

// An empty picture as wide as its host, so that a unit is a pixel and text keeps its size.
function canvas(host, height, about) {
  const width = Math.max(host.clientWidth, 200);
  const svg = element("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": about });
  host.replaceChildren(svg);
  return { svg, width, height, add: (...args) => svg.appendChild(element(...args)), write: (...args) => svg.append(text(...args)) };
}

// The same with a step axis of T steps and a line at the step looked at.
function timeline(host, height, about, T) {
  const picture = canvas(host, height, about), column = (picture.width - MARGIN.left - MARGIN.right) / T;
  const x = (step) => MARGIN.left + (step + 0.5) * column;
  return { ...picture, T, column, x, edge: (step) => MARGIN.left + step * column };
}

function moveCursor(picture, step) {
  picture.svg.querySelector(".cursor")?.remove();
  const width = Math.max(picture.column, 3);
  picture.add("rect", { class: "cursor", x: picture.x(step) - width / 2, width, y: 0, height: picture.height });
}

// Which step a pointer at `clientX` is over.
function stepAt(picture, clientX) {
  const inside = clientX - picture.svg.getBoundingClientRect().left - MARGIN.left;
  return clamp(Math.floor(inside / picture.column), 0, picture.T - 1);
}

const power = (exponent) =>
  "10" + String(exponent).replace("-", "⁻").replace(/\d/g, (digit) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[digit]);

// Numbers as text: short, with a power of ten where they are small or large.
function shown(value) {
  if (!Number.isFinite(value)) return "–";
  if (value === 0) return "0";
  const exponent = Math.floor(Math.log10(Math.abs(value)));
  if (exponent >= -3 && exponent < 4) return String(Number(value.toPrecision(2)));
  return `${(value / 10 ** exponent).toFixed(1)}·${power(exponent)}`;
}
function percent(share) {
  if (!Number.isFinite(share)) return "–";
  if (share > 0 && share < 0.001) return "<0.1 %";
  if (share >= 10) return `${shown(share)} times`;
  return share < 0.1 ? `${Number((100 * share).toFixed(1))} %` : `${Math.round(100 * share)} %`;
}

// Ticks below a timeline: the distance from the loss.
function distances(picture, y) {
  const wanted = Math.max(2, Math.floor(picture.width / 90)), T = picture.T;
  const nice = [1, 2, 5, 10, 20, 25, 50, 100].find((gap) => T / gap <= wanted) || 200;
  for (let back = 0; back < T; back += nice) {
    const x = picture.x(T - 1 - back);
    picture.add("line", { class: "tick", x1: x, x2: x, y1: y, y2: y + 4 });
    picture.write(x, y + 17, back, { class: "small", "text-anchor": "middle" });
  }
  picture.write(MARGIN.left, y + 34, "steps before the loss; the error travels to the left ←", { class: "small" });
}

// The adding problem's numbers as bars, the marked ones filled.
function drawNumbers(host, xs, about) {
  const picture = timeline(host, 84, about, xs.length), floor = 80, high = 62;
  picture.write(0, 24, "1", { class: "small" });
  picture.write(0, floor, "0", { class: "small" });
  xs.forEach(([number, mark], step) => {
    const gap = Math.min(1, picture.column / 4), height = Math.max(1, number * high);
    const at = { x: picture.edge(step) + gap / 2, width: picture.column - gap, y: floor - height, height };
    picture.add("rect", { class: mark ? "bar marked" : "bar", ...at });
  });
  xs.forEach(([number, mark], step) => {
    const at = clamp(picture.x(step), MARGIN.left + 12, picture.width - 16);
    if (mark) picture.write(at, floor - number * high - 5, number.toFixed(2), { class: "small strong halo", "text-anchor": "middle" });
  });
  return picture;
}

// The sentence's words, upright where there is room for them, else only the one that the answer hangs on.
function drawWords(host, words, cue, about) {
  const picture = timeline(host, 84, about, words.length);
  words.forEach((word, step) => {
    if (picture.column < 13 && step !== cue) return;
    const x = picture.x(step) + 4, turn = `rotate(-90 ${x} 80)`;
    picture.write(x, 80, word, { class: step === cue ? "strong marked" : "", transform: turn });
  });
  return picture;
}

// log10 of the error by step for every cell; `past` is a curve of the chosen one before training.
function drawError(host, curves, past, about) {
  const height = 270, top = 10, bottom = height - 42;
  const picture = timeline(host, height, about, curves[0].values.length);
  const logs = (values) => values.map((value) => (value > 0 ? Math.log10(value) : -400));
  const all = [...curves.map((one) => one.values), past || []].flatMap(logs).filter((value) => value > -400);
  const high = Math.ceil(Math.max(...all, -300)), lowest = Math.floor(Math.min(...all, high - 2));
  const low = Math.max(lowest, high - DEEPEST);
  const y = (value) => bottom - ((Math.max(value, low - 9) - low) / (high - low)) * (bottom - top);
  const gap = [1, 2, 4].find((size) => (high - low) / size <= 6) || 5;
  for (let exponent = high; exponent >= low; exponent -= gap) {
    picture.add("line", { class: "grid", x1: MARGIN.left, x2: picture.width - MARGIN.right, y1: y(exponent), y2: y(exponent) });
    picture.write(MARGIN.left - 6, y(exponent) + 4, power(exponent), { class: "small", "text-anchor": "end" });
  }
  const clip = picture.add("clipPath", { id: "inside" });
  clip.append(element("rect", { x: 0, y: 0, width: picture.width, height: bottom + 1 }));
  const draw = (values, more) =>
    picture.add("path", { d: path(logs(values).map((value, step) => [picture.x(step), y(value)])), "clip-path": "url(#inside)", ...more });
  if (past) draw(past, { class: "line past", stroke: curves.find((one) => one.chosen).colour });
  for (const one of [...curves].sort((a, b) => a.chosen - b.chosen)) {
    draw(one.values, { class: one.chosen ? "line chosen" : "line", stroke: one.colour, "stroke-dasharray": one.chosen ? "" : one.dash, "data-cell": one.name });
  }
  distances(picture, bottom);
  return picture;
}

// The colour ([r, g, b]) of a value in 0..1 between `stops`, which are evenly spaced.
function mixed(value, stops) {
  const place = clamp(value, 0, 1) * (stops.length - 1), from = Math.min(Math.floor(place), stops.length - 2);
  return stops[from].map((part, k) => part + (place - from) * (stops[from + 1][k] - part));
}

// Values in 0..1, a row of units a step, as an image: a column a step, each value a pixel.
function pixels(rows, stops) {
  const made = document.createElement("canvas"), units = rows[0].length;
  [made.width, made.height] = [rows.length, units];
  const context = made.getContext("2d"), image = context.createImageData(rows.length, units);
  rows.forEach((row, step) =>
    row.forEach((value, unit) => image.data.set([...mixed(value, stops), 255], 4 * (unit * rows.length + step))),
  );
  context.putImageData(image, 0, 0);
  return made.toDataURL();
}

// One strip a gate: a row a unit, a column a step. strips: {name, rows (T, H) of 0..1}.
function drawStrips(host, strips, colours, about) {
  const band = 74, title = 20, T = strips[0].rows.length;
  const picture = timeline(host, strips.length * (band + title + 6) + 40, about, T);
  strips.forEach(({ name, rows }, place) => {
    const y = place * (band + title + 6);
    picture.write(MARGIN.left, y + 14, name);
    const size = { x: MARGIN.left, y: y + title, width: picture.column * T, height: band };
    picture.add("image", { href: pixels(rows, colours), preserveAspectRatio: "none", class: "strip", ...size });
    picture.add("rect", { class: "frame", ...size });
    picture.write(MARGIN.left - 6, y + title + band / 2, "units", { class: "small", "text-anchor": "end" });
  });
  distances(picture, strips.length * (band + title + 6));
  return picture;
}

// Answers on a line from 0 to 2, longer where one is beyond, the truth across all of them. rows: {label, colour, chosen, value}.
function drawAnswers(host, rows, truth, about) {
  const picture = canvas(host, rows.length * 34 + 44, about), left = 92, right = 48;
  const values = rows.map((row) => row.value), low = clamp(Math.min(0, ...values), -2, 0), high = clamp(Math.max(2, ...values), 2, 4);
  const x = (value) => left + ((clamp(value, low, high) - low) / (high - low)) * (picture.width - left - right);
  const bottom = rows.length * 34 + 22;
  picture.add("line", { class: "truth", x1: x(truth), x2: x(truth), y1: 18, y2: bottom });
  picture.write(x(truth), 12, `truth ${truth.toFixed(2)}`, { class: "small strong", "text-anchor": "middle" });
  rows.forEach((row, place) => {
    const y = 36 + place * 34;
    picture.write(0, y + 4, row.label, row.chosen ? { class: "strong" } : {});
    picture.add("line", { class: "grid", x1: x(low), x2: x(high), y1: y, y2: y });
    picture.add("line", { class: "miss", x1: x(truth), x2: x(row.value), y1: y, y2: y, stroke: row.colour });
    picture.add("circle", { cx: x(row.value), cy: y, r: row.chosen ? 7 : 5, fill: row.colour });
    picture.write(picture.width, y + 4, row.value.toFixed(2), { "text-anchor": "end", ...(row.chosen && { class: "strong" }) });
  });
  for (const value of [0, 1, 2]) picture.write(x(value), bottom + 16, value, { class: "small", "text-anchor": "middle" });
}

// Of each cell the probability of the answer asked for, and what it answers. rows: {..., share, said}.
function drawVerbs(host, rows, about) {
  const picture = canvas(host, rows.length * 44 + 20, about);
  rows.forEach((row, place) => {
    const y = place * 44, width = picture.width - 2;
    picture.write(0, y + 14, row.label, row.chosen ? { class: "strong" } : {});
    picture.write(picture.width, y + 14, row.said, { "text-anchor": "end", ...(row.chosen && { class: "strong" }) });
    picture.add("rect", { class: "frame", x: 1, y: y + 20, width, height: 14 });
    picture.add("rect", { x: 1, y: y + 20, width: row.share * width, height: 14, fill: row.colour });
  });
  const y = rows.length * 44 + 12;
  ["0", "1"].forEach((value, end) => picture.write(end ? picture.width : 0, y, value, { class: "small", "text-anchor": end ? "end" : "start" }));
}

// Validation score by epoch. curves: {points [[epoch, score]], colour, dash, chosen}; dot: the chosen moment.
function drawTraining(host, curves, { chance, percent: inPercent, dot }, about) {
  const height = 190, picture = canvas(host, height, about), left = 46, right = 10, top = 10, bottom = height - 40;
  const points = curves.flatMap((one) => one.points), last = Math.max(...points.map(([epoch]) => epoch), 1);
  const high = inPercent ? 1 : Math.max(...points.map(([, score]) => score), chance * 1.2);
  const x = (epoch) => left + (epoch / last) * (picture.width - left - right);
  const y = (score) => bottom - (score / high) * (bottom - top);
  for (const part of [0, 0.5, 1]) {
    const value = part * high;
    picture.add("line", { class: "grid", x1: left, x2: picture.width - right, y1: y(value), y2: y(value) });
    picture.write(left - 5, y(value) + 4, inPercent ? `${100 * value} %` : value.toFixed(1), { class: "small", "text-anchor": "end" });
  }
  picture.add("line", { class: "chance", x1: left, x2: picture.width - right, y1: y(chance), y2: y(chance) });
  picture.write(picture.width - right, y(chance) + 15, "guessing", { class: "small", "text-anchor": "end" });
  for (const one of [...curves].sort((a, b) => a.chosen - b.chosen)) {
    const d = path(one.points.map(([epoch, score]) => [x(epoch), y(score)]));
    picture.add("path", { class: one.chosen ? "line chosen" : "line", d, stroke: one.colour, "stroke-dasharray": one.chosen ? "" : one.dash });
  }
  if (dot) picture.add("circle", { class: "dot", cx: x(dot[0]), cy: y(dot[1]), r: 7 });
  const gap = Math.max(1, Math.ceil(last / 8));
  for (let epoch = 0; epoch <= last; epoch += gap) picture.write(x(epoch), bottom + 16, epoch, { class: "small", "text-anchor": "middle" });
  picture.write(left, bottom + 33, "epoch", { class: "small" });
}
