"""Answers that are written token by token, dense layers, attention, carried state: the oracle against loops over
numbers, both frameworks against the oracle, decoding against enumeration."""

import itertools
import math
from dataclasses import replace
from functools import partial

import naive
import numpy as np
import pytest
import shape_worker
from scipy.special import log_softmax

from rnn_study.behaviour.diagnostics.written import error_flow
from rnn_study.behaviour.parity.probes import Problem, deviation, tree_deviation
from rnn_study.behaviour.parity.problems import KNOBS, knob_problem
from rnn_study.model import decoding, reference
from rnn_study.model.backend import BACKENDS
from rnn_study.model.init import SCHEMES, draw, glorot, orthogonal
from rnn_study.model.network import (
    Attention,
    Dense,
    Embedding,
    Layer,
    Network,
    clash,
    decoder_tree,
    parameter_count,
    resized,
    shapes,
    units_for,
)
from rnn_study.model.optimisers import Adam, Optimiser
from rnn_study.model.task import END, GO, Batch, Task

WORDS = 5
ADAM = Optimiser(2**-5, 2**-3, Adam(0.875, 1 - 2**-10))
ACTIVATIONS = {"relu": lambda a: max(a, 0.0), "tanh": math.tanh, "sigmoid": naive.sigmoid, "linear": lambda a: a}


def writer(cells, attention, units=(4, 3), inputs=3, words=None):
    layers = tuple(Layer(cell, width) for cell, width in zip(cells, units, strict=False))
    looks = Attention(2, layers[-1].units) if attention else None
    decoder = Network(WORDS, layers, WORDS, every_step=True, attention=looks)
    return Network(inputs, layers, 0, Embedding(words, True) if words else None, decoder=decoder)


def weights_of(network, seed=0):
    rng = np.random.default_rng(seed)
    return {name: rng.normal(0, 0.7, shape) for name, shape in shapes(network).items()}


def sentences(rng, rows=5, steps=4, inputs=3):
    """Sequences of one step, of all, and mixed; answers likewise."""
    lengths = np.resize([1, steps, 2, 3], rows)
    y = rng.integers(END + 1, WORDS, (rows, steps))
    ends = np.resize([steps - 1, 0, 2, 1], rows)
    y[np.arange(rows), ends] = END
    y = np.where(np.arange(steps) <= ends[:, None], y, GO)
    return Batch(rng.normal(size=(rows, steps, inputs)), y, np.arange(steps) < lengths[:, None])


def run_layer(cell, w, rows, state):
    """h at every step and the last state, number by number."""
    outputs = []
    for row in rows:
        state = naive.step(cell, w, state, row)
        outputs.append(list(state[0]))
    return outputs, state


def layer(tree, prefix):
    return {name.removeprefix(prefix): array for name, array in tree.items() if name.startswith(prefix)}


def dense(tree, prefix, row):
    columns = range(tree[f"{prefix}W"].shape[1])
    return [naive.product(row, tree[f"{prefix}W"], k) + float(tree[f"{prefix}b"][k]) for k in columns]


def attended(tree, h, memory):
    """`network.Attention` of one state, one number after the other, and its weights."""
    query, key, score = (tree[f"attention.{name}"] for name in ("query", "key", "score"))

    def seen(m, u):
        return math.tanh(naive.product(h, query, u) + naive.product(m, key, u))

    scores = [sum(seen(m, u) * float(score[u]) for u in range(len(score))) for m in memory]
    odds = [math.exp(score) for score in scores]
    looked = [one / sum(odds) for one in odds]
    context = [sum(w * m[e] for w, m in zip(looked, memory, strict=True)) for e in range(len(memory[0]))]
    joined = [*context, *h]
    return [math.tanh(naive.product(joined, tree["attention.W"], k)) for k in range(len(h))], looked


def written_naively(network, tree, x, length, y):
    """Logits of one answer's tokens, and what was looked at."""
    rows, states = [[float(v) for v in row] for row in x[:length]], []
    for index, one in enumerate(network.layers):
        zero = tuple([0.0] * one.units for _ in range(naive.STATES[one.cell]))
        rows, state = run_layer(one.cell, layer(tree, f"layers.{index}."), rows, zero)
        states.append(state)
    memory, own = rows, decoder_tree(tree)
    before = [GO, *y[:-1]]
    said = [[float(token == word) for word in range(WORDS)] for token in before]
    for index, one in enumerate(network.decoder.layers):
        said, _ = run_layer(one.cell, layer(own, f"layers.{index}."), said, states[index])
    looked = []
    if network.decoder.attention:
        pairs = [attended(own, h, memory) for h in said]
        said, looked = [h for h, _ in pairs], [weights for _, weights in pairs]
    return [dense(own, "head.", h) for h in said], looked


@pytest.mark.parametrize("attention", [False, True], ids=["plain", "attention"])
@pytest.mark.parametrize("cells", [("lstm",), ("gru", "vanilla"), ("lstm_peephole", "lstm")], ids="-".join)
def test_the_oracle_writes_what_loops_over_numbers_write(cells, attention):
    network = writer(cells, attention)
    tree, batch = weights_of(network), sentences(np.random.default_rng(1))
    found = reference.climb(network, tree, batch.x, batch.mask, told=batch.y)
    for row, (x, y, mask) in enumerate(zip(*batch, strict=True)):
        ends = int((y != GO).sum())
        expected, looked = written_naively(network, tree, x, int(mask.sum()), y.tolist())
        np.testing.assert_allclose(found.outputs[row, :ends], expected[:ends], rtol=1e-12)
        if attention:
            np.testing.assert_allclose(found.looked[row, :ends, : mask.sum()], looked[:ends], rtol=1e-12)
            assert not found.looked[row, :, mask.sum() :].any()
    assert (found.looked is None) is (not attention)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("cells", [(), ("gru",)], ids=["perceptron", "after a GRU"])
def test_dense_layers_are_sums_and_activations(cells, activation):
    layers = tuple(Layer(cell, 4) for cell in cells)
    network = Network(3, layers, 2, dense=(Dense(5, activation), Dense(3, "tanh")), steps=0 if cells else 4)
    tree, batch = weights_of(network), sentences(np.random.default_rng(2))
    found = reference.forward(network, tree, batch)
    for row, (x, mask) in enumerate(zip(batch.x, batch.mask, strict=True)):
        if cells:
            rows = [[float(v) for v in step] for step in x[: mask.sum()]]
            top = run_layer("gru", layer(tree, "layers.0."), rows, ([0.0] * 4,))[0][-1]
        else:
            top = np.where(mask[:, None], x, 0).ravel().tolist()
        top = [ACTIVATIONS[activation](a) for a in dense(tree, "dense.0.", top)]
        top = [math.tanh(a) for a in dense(tree, "dense.1.", top)]
        np.testing.assert_allclose(found[row], dense(tree, "head.", top), rtol=1e-12)


def test_after_dense_layers_a_decoder_starts_with_what_they_found():
    layers = (Layer("lstm", 4), Layer("lstm", 4))
    decoder = Network(WORDS, layers, WORDS, every_step=True)
    network = Network(3, (), 0, dense=(Dense(4, "tanh"),), steps=4, decoder=decoder)
    tree, batch = weights_of(network), sentences(np.random.default_rng(3))
    found = reference.forward(network, tree, batch)
    for row, (x, y, mask) in enumerate(zip(*batch, strict=True)):
        h = [math.tanh(a) for a in dense(tree, "dense.0.", np.where(mask[:, None], x, 0).ravel().tolist())]
        said = [[float(token == word) for word in range(WORDS)] for token in [GO, *y[:-1].tolist()]]
        for index in range(2):  # the memory c starts empty in every layer
            said, _ = run_layer("lstm", layer(tree, f"decoder.layers.{index}."), said, (h, [0.0] * 4))
        ends = int((y != GO).sum())
        expected = [dense(tree, "decoder.head.", one) for one in said]
        np.testing.assert_allclose(found[row, :ends], expected[:ends], rtol=1e-12)


@pytest.mark.parametrize("name", [name for name in KNOBS if "decoder" in KNOBS[name][2]])
def test_what_stands_past_an_end_has_no_influence(name):
    problem = knob_problem(name)
    x, y, mask = problem.batch
    past = np.where(mask[..., None], x, 1e3)
    whole = reference.run(problem.network, problem.weights, problem.batch, problem.loss)
    again = reference.run(problem.network, problem.weights, Batch(past, y, mask), problem.loss)
    assert again.loss == whole.loss
    assert tree_deviation(again.gradients, whole.gradients) == 0
    assert not whole.inputs[~mask].any()
    longer = Batch(x, np.pad(y, ((0, 0), (0, 2))), mask)  # two more places that count for nothing
    again = reference.run(problem.network, problem.weights, longer, problem.loss)
    assert again.loss == pytest.approx(whole.loss, rel=1e-14)
    assert tree_deviation(again.gradients, whole.gradients) < 1e-13


def test_the_loss_is_the_mean_over_all_tokens_up_to_the_end():
    problem = knob_problem("attention")
    outputs = reference.forward(problem.network, problem.weights, problem.batch)
    losses = [
        -log_softmax(outputs[row, t])[problem.batch.y[row, t]]
        for row, t in zip(*np.nonzero(problem.batch.y != GO), strict=True)
    ]
    found = reference.run(problem.network, problem.weights, problem.batch, "cross_entropy")
    assert found.loss == pytest.approx(np.mean(losses), rel=1e-13)
    assert not found.outputs[problem.batch.y == GO].any()


@pytest.mark.parametrize("name", ["attention in two layers", "a decoder after dense layers", "a multilayer perceptron"])
def test_gradients_are_finite_differences(name):
    problem = knob_problem(name)
    whole = reference.run(problem.network, problem.weights, problem.batch, problem.loss).gradients

    def loss_at(weights):
        return reference.run(problem.network, weights, problem.batch, problem.loss).loss

    rng = np.random.default_rng(0)
    for array, held in problem.weights.items():
        place = tuple(rng.integers(0, size) for size in held.shape)
        moved = [held.copy(), held.copy()]
        moved[0][place] += 1e-6
        moved[1][place] -= 1e-6
        slope = (loss_at(problem.weights | {array: moved[0]}) - loss_at(problem.weights | {array: moved[1]})) / 2e-6
        assert whole[array][place] == pytest.approx(slope, rel=1e-5, abs=1e-9), array


@pytest.mark.parametrize("name", [name for name in KNOBS if "decoder" in KNOBS[name][2] and KNOBS[name][0]])
def test_the_error_of_each_answer_comes_back_as_complex_steps_say(name):
    problem = knob_problem(name)
    way = error_flow(problem.network, problem.weights, problem.batch)
    for row in range(len(problem.batch.y)):
        alone = problem.batch.rows(slice(row, row + 1))
        expected = reference.run(problem.network, problem.weights, alone, problem.loss).inputs
        assert deviation(way.encoder[0].inputs[row : row + 1], expected) < 1e-12
    assert len(way.encoder) == len(way.decoder) == len(problem.network.layers)


@pytest.mark.parametrize("name", ["a decoder", "a decoder in equations", "attention in two layers"])
def test_every_layer_of_a_decoder_tells_the_states_that_it_starts_with(name):
    problem = knob_problem(name)
    network, tree, own = problem.network, problem.weights, decoder_tree(problem.weights)
    way, depth = error_flow(network, tree, problem.batch), len(network.layers)
    for row in range(len(problem.batch.y)):
        alone = problem.batch.rows(slice(row, row + 1))
        up = reference.climb(network, tree, alone.x, alone.mask, told=alone.y)
        said, answered = reference.one_hot(alone.y, WORDS), alone.y != GO
        memory = reference.Memory(up.hidden[depth - 1], alone.mask)

        def loss_at(start, said=said, y=alone.y, answered=answered, memory=memory):
            found = reference.climb(network.decoder, own, said, answered, start=start, memory=memory)
            return reference.loss("cross_entropy", found.outputs, y, answered)

        for index, state in enumerate(up.final[:depth]):
            for place, array in enumerate(state):
                moved = array + 1e-30j * np.eye(array.size)[:, None]
                start = list(up.final[:depth])
                start[index] = (*state[:place], moved, *state[place + 1 :])
                expected = loss_at(start).imag / 1e-30
                assert deviation(way.decoder[index].start[place][row], expected) < 1e-12


def test_error_does_not_flow_into_an_encoder_that_reads_all_at_once():
    problem = knob_problem("a decoder after dense layers")
    with pytest.raises(ValueError, match="expected one that reads step by step"):
        error_flow(problem.network, problem.weights, problem.batch)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"every_step": True}, "every_step without a recurrent layer"),
        ({"bidirectional": True}, "bidirectional without a recurrent layer"),
        ({"carried": True}, "carried without a recurrent layer"),
        ({"norm": "layer"}, "norm without a recurrent layer"),
        ({"window": 2}, "window without a recurrent layer"),
        ({"decoder": Network(3, (), 3)}, "a decoder after no layer at all"),
        ({"layers": (Layer("gru", 2),), "carried": True}, "carried without every_step"),
        (
            {"layers": (Layer("gru", 2),), "carried": True, "every_step": True, "bidirectional": True},
            "carried with bidirectional",
        ),
    ],
)
def test_what_cannot_be_together(options, said):
    assert clash(Network(**{"inputs": 3, "layers": (), "outputs": 2} | options)).startswith(said)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"dense": (Dense(4, "tanh"),)}, "dense layers between"),
        ({"bidirectional": True}, "bidirectional with a decoder"),
        ({"window": 2}, "window with a decoder"),
        ({"carried": True, "every_step": True}, "carried with a decoder"),
        ({"norm": "batch"}, "norm batch with a decoder"),
        ({"layers": (Layer("gru", 5),)}, "a decoder of other layers"),
    ],
)
def test_what_cannot_be_together_with_a_decoder(options, said):
    plain = writer(("gru",), attention=False)
    assert clash(plain) is None
    assert clash(replace(plain, **options)).startswith(said)


def test_a_decoder_is_as_wide_as_the_last_dense_layer_before_it():
    decoder = Network(WORDS, (Layer("gru", 4),), WORDS, every_step=True)
    network = Network(3, (), 0, dense=(Dense(6, "relu"), Dense(4, "tanh")), steps=4, decoder=decoder)
    assert clash(network) is None
    turned = replace(network, dense=network.dense[::-1])
    assert clash(turned).startswith("a decoder of other layers")


@pytest.mark.parametrize("budget", [150, 1000, 4000])
@pytest.mark.parametrize("kind", ["attention", "perceptron", "image to text"])
def test_the_width_comes_nearest_to_the_budget(kind, budget):
    network = writer(("lstm", "lstm"), attention=True)
    if kind == "perceptron":
        network = Network(3, (), 2, dense=(Dense(0, "relu"), Dense(0, "relu")), steps=4)
    elif kind == "image to text":
        decoder = Network(WORDS, (Layer("gru", 1),), WORDS, every_step=True)
        network = Network(3, (), 0, dense=(Dense(0, "tanh"),), steps=4, decoder=decoder)
    counts = {units: sum(map(np.size, weights_of(resized(network, units)).values())) for units in range(1, 60)}
    units = units_for(budget, network)
    assert abs(counts[units] - budget) == min(abs(count - budget) for count in counts.values())
    assert parameter_count(resized(network, units), embedding=False) == counts[units]
    assert clash(resized(network, units)) is None


def test_a_dense_layer_of_its_own_width_keeps_it():
    network = Network(3, (Layer("gru", 1),), 2, dense=(Dense(7, "relu"), Dense(0, "relu")))
    assert [one.units for one in resized(network, 4).dense] == [7, 4]


def test_weights_are_drawn_part_after_part():
    network = writer(("gru",), attention=True)
    found = draw(network, np.random.default_rng(3))
    rng, own = np.random.default_rng(3), {}
    for prefix, width in (("", 3), ("decoder.", WORDS)):
        own[f"{prefix}layers.0.W"] = np.concatenate([glorot(rng, width, 4) for _ in range(3)], axis=1)
        own[f"{prefix}layers.0.U"] = np.concatenate([orthogonal(rng, 4, 4) for _ in range(3)], axis=1)
    own["decoder.attention.query"], own["decoder.attention.key"] = glorot(rng, 4, 2), glorot(rng, 4, 2)
    own["decoder.attention.score"], own["decoder.attention.W"] = glorot(rng, 2, 1)[:, 0], glorot(rng, 8, 4)
    own["decoder.head.W"] = glorot(rng, 4, WORDS)
    assert list(found) == list(shapes(network))
    for name, array in found.items():
        np.testing.assert_array_equal(array, own.get(name, np.zeros(array.shape)), err_msg=name)
    perceptron = Network(3, (), 2, dense=(Dense(50, "relu"),), steps=4)
    uniform = draw(perceptron, np.random.default_rng(3), init=SCHEMES["pytorch"])
    for name, fan in (("dense.0.W", 12), ("dense.0.b", 12), ("head.b", 50)):
        assert np.abs(uniform[name]).max() <= 1 / np.sqrt(fan)
        assert np.abs(uniform[name]).max() > 0.5 / np.sqrt(fan)


# Both frameworks ---------------------------------------------------------------------------------------------------


def carried_problem(cell="lstm", impl="native"):
    """Six pieces of two texts; the pieces of each follow one another: rows 0, 1, 2 and 3, 4, 5."""
    rng = np.random.default_rng(4)
    network = Network(3, (Layer(cell, 4), Layer("gru", 3)), 2, every_step=True, carried=True)
    batch = Batch(rng.normal(size=(6, 5, 3)), rng.integers(0, 2, (6, 5)))
    return Problem(network, "cross_entropy", ADAM, weights_of(network), batch, impl)


def carried_by_hand(problem, orders, keep=None):
    """Losses and weights of the updates: each starts with the states that the one before it ended with."""
    tree, network = dict(problem.weights), problem.network
    slots = {f"{kind}.{name}": np.zeros_like(tree[name]) for kind in ("mean", "square") for name in tree}
    slots["updates"], losses = np.array(0), []
    for order in orders:
        start = None
        for step, rows in enumerate(order):
            part = problem.batch.rows(rows)
            masks = None if keep is None else [mask[step] for mask in keep]

            def loss_at(weights, part=part, start=start, masks=masks):
                up = reference.climb(network, weights, part.x, None, masks, training=True, start=start)
                return reference.loss("cross_entropy", up.outputs, part.y), up.final

            losses.append(float(loss_at(tree)[0]))
            gradients = {}
            for name, array in tree.items():
                moved = array + 1e-30j * np.eye(array.size).reshape(array.size, *array.shape)
                gradients[name] = loss_at(tree | {name: moved})[0].imag.reshape(array.shape) / 1e-30
            start = loss_at(tree)[1]
            tree, slots = reference.update(problem.optimiser, "pytorch", tree, slots, gradients)
    return np.array(losses), tree


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("cell", "impl"), [("lstm", "native"), ("ugrnn", "equations")])
def test_a_carried_state_goes_on_and_no_gradient_with_it(cell, impl, backend, ask):
    problem = carried_problem(cell, impl)
    order = np.array([[0, 3], [1, 4], [2, 5]])
    rng = np.random.default_rng(6)
    keep = [2.0 * (rng.random((3, 2, units)) < 0.5) for units in problem.network.dropped]
    losses, tree = carried_by_hand(problem, [order, order], keep)  # a second epoch starts from zero again
    found, weights, outputs = ask(shape_worker.trained, backend, problem, [order, order], keep)
    np.testing.assert_allclose(found, losses, rtol=1e-9)
    assert tree_deviation(weights, tree) < 1e-9
    np.testing.assert_allclose(outputs, reference.forward(problem.network, tree, problem.batch), rtol=0, atol=1e-9)
    apart, _ = carried_by_hand(problem, [order[[k]] for k in range(3)], keep)
    assert not np.allclose(apart[1:3], losses[1:3], rtol=1e-4)


@pytest.mark.parametrize("backend", BACKENDS)
def test_dropout_lands_on_every_layers_outputs(backend, ask):
    """Encoder, decoder, in this order; dense layers after the cells."""
    for network in (
        writer(("gru", "vanilla"), attention=True),
        Network(3, (Layer("vanilla", 4),), 2, dense=(Dense(5, "tanh"), Dense(3, "relu"))),
    ):
        batch, rng = sentences(np.random.default_rng(1)), np.random.default_rng(2)
        if not network.decoder:
            batch = Batch(batch.x, rng.integers(0, 2, len(batch.y)), batch.mask)
        problem = Problem(network, "cross_entropy", ADAM, weights_of(network), batch)
        order, rows = np.array([[0, 1, 2, 3]]), np.arange(4)
        keep = [2.0 * (rng.random((1, 4, units)) < 0.5) for units in network.dropped]
        own = [mask[0] for mask in keep]
        expected = reference.loss(
            "cross_entropy",
            reference.forward(network, problem.weights, batch.rows(rows), own),
            batch.rows(rows).y,
            batch.rows(rows).y != GO if network.decoder else batch.rows(rows).mask,
        )
        losses, _, _ = ask(shape_worker.trained, backend, problem, [order], keep)
        assert losses[0] == pytest.approx(float(expected), rel=1e-12)
        plain, _, _ = ask(shape_worker.trained, backend, problem, [order], None)
        assert plain[0] != pytest.approx(losses[0], rel=1e-3)


# A seed with which a network says different things to different rows, and whether it ends some.
TALKATIVE = {"a decoder": (0, True), "attention in two layers": (3, True), "a decoder after dense layers": (4, False)}


def talkative(name):
    """A network of KNOBS with other weights, and forty rows of one step, of all, and of some."""
    problem, rng = knob_problem(name), np.random.default_rng(TALKATIVE[name][0])
    scale = 1.5 if TALKATIVE[name][1] else 3.0
    weights = {array: scale * rng.normal(size=held.shape) for array, held in problem.weights.items()}
    weights["decoder.head.b"][GO] -= 6  # which is no answer
    x, lengths = 2 * rng.normal(size=(40, 6, 3)), np.resize([6, 1, 3, 5], 40)
    batch = Batch(x, np.full((40, 1), END), np.arange(6) < lengths[:, None])
    return replace(problem, weights=weights, batch=batch)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", TALKATIVE)
def test_greedy_decoding_gives_the_same_tokens_everywhere(name, backend, ask):
    problem = talkative(name)
    predict = partial(reference.forward, problem.network, problem.weights)
    expected = decoding.greedy(predict, problem.batch.x, problem.batch.mask, 7)
    np.testing.assert_array_equal(ask(shape_worker.greedy, backend, problem, 7), expected)
    assert len({tuple(row) for row in expected.tolist()}) > 5
    assert (0 < int((expected == END).any(axis=1).sum()) < 40) == TALKATIVE[name][1]
    dropped = replace(problem, network=replace(problem.network, dropout=0.5))  # off when it writes
    np.testing.assert_array_equal(ask(shape_worker.greedy, backend, dropped, 7), expected)


@pytest.mark.parametrize("backend", BACKENDS)
def test_chunks_of_rows_are_predicted_with_their_own_answers(backend, ask):
    problem = knob_problem("attention")
    expected = reference.forward(problem.network, problem.weights, problem.batch)
    found = ask(shape_worker.predicted_in_chunks, backend, problem, 2)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)


# Decoding ----------------------------------------------------------------------------------------------------------


def random_writer(seed, words=4):
    """Logits that depend on the row's input and on all that was said: a table, drawn when it is first asked for."""
    table = {}

    def predict(batch):
        rows = []
        for x, said in zip(batch.x, batch.y.tolist(), strict=True):
            row = []
            for t in range(len(said)):
                key = (float(x[0, 0]), *said[:t])
                if key not in table:
                    table[key] = np.random.default_rng([seed, *(int(10 * abs(v)) for v in key)]).normal(0, 2, words)
                row.append(table[key])
            rows.append(row)
        return np.array(rows)

    return predict


def sum_of_logs(predict, x, tokens):
    outputs = predict(Batch(x, np.array([tokens])))[0]
    return sum(log_softmax(outputs[t])[token] for t, token in enumerate(tokens))


def every_answer(words, longest):
    """All token rows that end with END, and those that are cut off without one."""
    for length in range(1, longest + 1):
        for tokens in itertools.product(range(words), repeat=length):
            if END not in tokens[:-1] and (tokens[-1] == END or length == longest):
                yield tokens


X = np.arange(1.0, 7.0).reshape(6, 1, 1)


@pytest.mark.parametrize("seed", range(4))
def test_a_beam_as_wide_as_all_answers_finds_the_likeliest(seed):
    predict = random_writer(seed)
    best, told = decoding.beam(predict, X, None, 4, 4**4)
    for row in range(len(X)):
        x = X[row : row + 1]
        answers = {tokens: sum_of_logs(predict, x, tokens) for tokens in every_answer(4, 4)}
        likeliest = max(answers, key=answers.get)
        assert tuple(best[row][: len(likeliest)]) == likeliest
        assert not best[row][len(likeliest) :].any()
        assert told[row] == pytest.approx(answers[likeliest], rel=1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_a_beam_of_one_is_greedy(seed):
    predict = random_writer(seed)
    said = decoding.greedy(predict, X, None, 6)
    best, told = decoding.beam(predict, X, None, 6, 1)
    np.testing.assert_array_equal(best, said)
    for row, tokens in enumerate(said.tolist()):
        cut = tokens[: tokens.index(END) + 1] if END in tokens else tokens
        assert told[row] == pytest.approx(sum_of_logs(predict, X[row : row + 1], cut), rel=1e-12)


def scripted(rows):
    """A network that says, whatever it reads, the next token of its row."""

    def predict(batch):
        return np.eye(9)[np.array([rows[int(x[0, 0])] for x in batch.x])[:, : batch.y.shape[1]]] * 50.0

    return predict


def test_greedy_stops_at_each_rows_end():
    rows = [[3, 2, END, 5, 5], [END, 4, 4, 4, 4], [2, 2, 2, 2, 2]]
    x = np.arange(3.0).reshape(3, 1, 1)
    said = decoding.greedy(scripted(rows), x, None, 5)
    np.testing.assert_array_equal(said, [[3, 2, END, GO, GO], [END, GO, GO, GO, GO], [2, 2, 2, 2, 2]])
    assert decoding.greedy(scripted(rows[:2]), x[:2], None, 5).shape == (2, 3)  # all have ended


def test_a_beam_of_two_finds_what_greedy_walks_past():
    """First 2 is likelier than 3, but after 3 the end is certain, after 2 it is a draw."""

    def predict(batch):
        logits = np.full((*batch.y.shape, 4), -50.0)
        logits[:, 0, 2], logits[:, 0, 3] = np.log(0.6), np.log(0.4)
        for row, said in enumerate(batch.y):
            for t in range(1, len(said)):
                logits[row, t, [END, 2] if said[0] == 2 else [END]] = 0.0
        return logits

    x = np.zeros((1, 1, 1))
    assert decoding.greedy(predict, x, None, 3)[0, 0] == 2
    best, told = decoding.beam(predict, x, None, 3, 2)
    assert best[0, :2].tolist() == [3, END]
    assert told[0] == pytest.approx(np.log(0.4), abs=1e-9)


def test_a_text_is_drawn_from_the_softmax_at_a_temperature():
    logits = np.array([0.3, -0.5, 1.1])

    def predict(batch):
        return np.broadcast_to(logits, (*batch.x.shape, 3))

    start = np.zeros((4000, 2), np.int32)
    for temperature in (0.5, 2.0):
        said = decoding.generate(predict, start, 1, temperature, np.random.default_rng(0))
        odds = np.exp(logits / temperature) / np.exp(logits / temperature).sum()
        assert np.bincount(said[:, 0], minlength=3) / 4000 == pytest.approx(odds, abs=0.03)
    assert (decoding.generate(predict, start[:2], 5, 0.0, np.random.default_rng(0)) == 2).all()


def test_a_text_is_written_on_what_was_written():
    def predict(batch):  # after n comes n + 1
        return np.eye(9)[(batch.x + 1) % 9]

    said = decoding.generate(predict, np.array([[7, 3]], np.int32), 7, 0.0, np.random.default_rng(0))
    assert said.tolist() == [[4, 5, 6, 7, 8, 0, 1]]


def test_a_series_goes_on_from_its_own_forecasts():
    def predict(batch):  # twice the last value less the one before
        x = batch.x[..., 0]
        return (2 * x - np.pad(x, ((0, 0), (1, 0)))[:, :-1])[..., None]

    found = decoding.go_on(predict, np.array([[[1.0], [3.0]], [[5.0], [4.0]]]), 4)
    assert found.tolist() == [[5.0, 7.0, 9.0, 11.0], [3.0, 2.0, 1.0, 0.0]]


def test_an_answer_counts_exactly_where_the_network_writes_it():
    """Teacher forcing and decoding agree: all tokens right after the true ones, or written alone."""
    problem = talkative("a decoder")
    x, _, mask = problem.batch
    predict = partial(reference.forward, problem.network, problem.weights)
    said = decoding.greedy(predict, x, mask, 6)
    said = np.pad(said, ((0, 0), (0, 6 - said.shape[1])))
    y = np.tile([2, END, GO, GO, GO, GO], (40, 1))
    ends = [row.index(END) if END in row else 6 for row in said.tolist()]
    sane = [end < 6 and GO not in row[:end] for row, end in zip(said.tolist(), ends, strict=True)]
    takes = np.array(sane) & (np.arange(40) % 3 > 0)  # most of what it ends is asked for as it writes it
    y[takes] = said[takes]
    assert 5 < takes.sum() < 35
    part = Batch(x, y, mask)
    task = Task("t", "cross_entropy", WORDS, part, part, {"test": part}, writes=True)
    marks = task.marks(predict(part), "test").astype(bool)
    np.testing.assert_array_equal(marks, (said == y).all(axis=1))
    assert not marks.all()
