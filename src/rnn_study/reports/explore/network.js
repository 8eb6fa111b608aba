// A recurrent network forward and back through time, in float64: the equations of model/cells.py and the backward
// recursion of behaviour/diagnostics/linear.py, one unit at a time.
"use strict";

const sigmoid = (a) => 0.5 * (1 + Math.tanh(a / 2)); // without overflow
const norm = (...vectors) => Math.sqrt(vectors.flat().reduce((sum, value) => sum + value * value, 0));
const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;

// What one unit does in a step. a, s: what the input and the old state add up to, a number a gate; old: the unit's
// state, h first. Of what is returned: state; gates, those with a sigmoid; keeps, the share of its memory (the last
// number of the state) that passes the step beside the recurrent product; back, which takes the loss's gradient for
// the new state to that for a, for s, and for the old state beside the recurrent product.
const CELLS = {
  vanilla(a, s) {
    const h = Math.tanh(a[0] + s[0]);
    return {
      state: [h],
      gates: {},
      keeps: 0,
      back([dh]) {
        const da = [dh * (1 - h * h)];
        return { a: da, s: da, state: [0] };
      },
    };
  },

  lstm(a, s, [, c]) {
    const i = sigmoid(a[0] + s[0]), f = sigmoid(a[1] + s[1]), g = Math.tanh(a[2] + s[2]), o = sigmoid(a[3] + s[3]);
    const memory = f * c + i * g, m = Math.tanh(memory);
    return {
      state: [o * m, memory],
      gates: { i, f, o },
      keeps: f,
      back([dh, dc]) {
        const d = dc + dh * o * (1 - m * m);
        const da = [d * g * i * (1 - i), d * c * f * (1 - f), d * i * (1 - g * g), dh * m * o * (1 - o)];
        return { a: da, s: da, state: [0, d * f] };
      },
    };
  },

  gru(a, s, [h]) {
    const r = sigmoid(a[0] + s[0]), z = sigmoid(a[1] + s[1]), n = Math.tanh(a[2] + r * s[2]);
    return {
      state: [z * h + (1 - z) * n],
      gates: { r, z },
      keeps: z,
      back([dh]) {
        const dn = dh * (1 - z) * (1 - n * n), dz = dh * (h - n) * z * (1 - z), dr = dn * s[2] * r * (1 - r);
        return { a: [dr, dz, dn], s: [dr, dz, dn * r], state: [dh * z] };
      },
    };
  },

  ugrnn(a, s, [h]) {
    const g = sigmoid(a[0] + s[0]), c = Math.tanh(a[1] + s[1]);
    return {
      state: [g * h + (1 - g) * c],
      gates: { g },
      keeps: g,
      back([dh]) {
        const da = [dh * (h - c) * g * (1 - g), dh * (1 - g) * (1 - c * c)];
        return { a: da, s: da, state: [dh * g] };
      },
    };
  },
};
const STATES = { vanilla: 1, lstm: 2, gru: 1, ugrnn: 1 };

// v W, of v (rows) and W (rows, columns); and W d, what a gradient for it makes of one for v.
function times(v, { data, shape: [rows, columns] }) {
  const out = new Array(columns).fill(0);
  for (let r = 0; r < rows; r++) for (let c = 0; c < columns; c++) out[c] += v[r] * data[r * columns + c];
  return out;
}
function through(d, { data, shape: [rows, columns] }) {
  const out = new Array(rows).fill(0);
  for (let r = 0; r < rows; r++) for (let c = 0; c < columns; c++) out[r] += d[c] * data[r * columns + c];
  return out;
}
const plus = (v, bias) => (bias ? v.map((value, place) => value + bias.data[place]) : v);

// The arrays of a network by name, from the base64 of their float32 one after the other.
function unpack(text, shapes) {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const numbers = Float64Array.from(new Float32Array(bytes.buffer));
  const tree = {};
  let start = 0;
  for (const [name, shape] of shapes) {
    const size = shape.reduce((product, length) => product * length, 1);
    tree[name] = { data: numbers.subarray(start, start + size), shape };
    start += size;
  }
  return tree;
}

// Every step of the layer over xs: for each, the units as `CELLS` has them.
function unroll(cell, tree, xs) {
  const units = tree.U.shape[0], gates = tree.U.shape[1] / units, numbers = Array.from({ length: gates }, (_, g) => g);
  let state = Array.from({ length: units }, () => new Array(STATES[cell]).fill(0));
  return xs.map((x) => {
    const a = plus(times(x, tree.W), tree.b);
    const s = plus(times(state.map((unit) => unit[0]), tree.U), tree.b_rec);
    const of = (sums, unit) => numbers.map((gate) => sums[gate * units + unit]);
    const step = state.map((old, unit) => CELLS[cell](of(a, unit), of(s, unit), old));
    state = step.map((unit) => unit.state);
    return step;
  });
}

// Backward recursion (Werbos 1990) from the gradient d_h for the last h: for each step dL/dz by unit, and dL/dx.
function backThrough(cell, tree, steps, d_h) {
  const units = d_h.length, gates = tree.U.shape[1] / units;
  let d = d_h.map((value) => [value, ...new Array(STATES[cell] - 1).fill(0)]);
  const found = [];
  for (let t = steps.length - 1; t >= 0; t--) {
    const a = new Array(gates * units), s = new Array(gates * units), old = [];
    steps[t].forEach((unit, place) => {
      const back = unit.back(d[place]);
      for (let gate = 0; gate < gates; gate++) {
        a[gate * units + place] = back.a[gate];
        s[gate * units + place] = back.s[gate];
      }
      old.push(back.state);
    });
    found[t] = { z: d, x: through(a, tree.W) };
    const recurrent = through(s, tree.U);
    d = old.map(([h, ...rest], place) => [h + recurrent[place], ...rest]);
  }
  return found;
}

function softmax(logits) {
  const highest = Math.max(...logits), odds = logits.map((value) => Math.exp(value - highest));
  const total = odds.reduce((sum, value) => sum + value, 0);
  return odds.map((value) => value / total);
}

// The loss's gradient for the outputs: of squared error against y, or of cross entropy against the class y.
function lossGradient(loss, outputs, y) {
  if (loss === "squared_error") return outputs.map((value, k) => (2 * (value - y[k])) / outputs.length);
  return softmax(outputs).map((odds, k) => odds - (k === y ? 1 : 0));
}

// Everything about one sequence in one network. xs: a vector a step, or word ids where the network has an embedding;
// y: the answer. flow: the norm of dL/dz by step; x: that of dL/dx; share: x over its sum; keeps: mean over units;
// gates: by name, a row of units a step; states: the same of h (and the LSTM's c).
function compute(cell, tree, loss, xs, y) {
  const { embedding } = tree, width = embedding && embedding.shape[1];
  const read = embedding ? xs.map((id) => [...embedding.data.subarray(id * width, (id + 1) * width)]) : xs;
  const steps = unroll(cell, tree, read), last = steps[steps.length - 1].map((unit) => unit.state[0]);
  const outputs = plus(times(last, tree["head.W"]), tree["head.b"]);
  const back = backThrough(cell, tree, steps, through(lossGradient(loss, outputs, y), tree["head.W"]));
  const x = back.map((step) => norm(step.x)), total = x.reduce((sum, value) => sum + value, 0);
  const gates = {};
  for (const gate of Object.keys(steps[0][0].gates)) gates[gate] = steps.map((step) => step.map((unit) => unit.gates[gate]));
  return {
    outputs,
    flow: back.map((step) => norm(...step.z)),
    x,
    share: x.map((value) => value / total),
    keeps: steps.map((step) => mean(step.map((unit) => unit.keeps))),
    gates,
    states: Array.from({ length: STATES[cell] }, (_, k) => steps.map((step) => step.map((unit) => unit.state[k]))),
  };
}
