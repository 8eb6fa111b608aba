"""The error that a written answer sends back: through the decoder, attention, and the encoder to every word read."""

from typing import NamedTuple

import numpy as np

from rnn_study.model.network import Network, decoder_tree
from rnn_study.model.reference import Memory, Tree, attend, loss_gradient, one_hot, read
from rnn_study.model.task import Batch, written

from .linear import Flow, Unrolled, flow_back, told_h, unroll


class Way(NamedTuple):
    """What comes back to each layer of the encoder and of the decoder, the first layer first."""

    encoder: list[Flow]
    decoder: list[Flow]


def _attention_back(tree: Tree, h: np.ndarray, memory: Memory, d_out: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """From the loss's gradient for what the head reads (N, T', H) those for h (N, T', H) and for the memory (N, T, E):
    the derivatives of `reference.attend`, worked out by hand."""
    W = {name: tree[f"attention.{name}"] for name in ("query", "key", "score", "W")}
    out, looked = attend(tree, h, memory)
    seen = np.tanh((h @ W["query"])[:, :, None] + (memory.hidden @ W["key"])[:, None])
    d_joined = (d_out * (1 - out**2)) @ W["W"].T
    d_context, d_h = np.split(d_joined, [memory.hidden.shape[-1]], axis=-1)
    d_looked = d_context @ memory.hidden.transpose(0, 2, 1)
    d_memory = looked.transpose(0, 2, 1) @ d_context
    d_scores = looked * (d_looked - (looked * d_looked).sum(axis=-1, keepdims=True))
    d_seen = d_scores[..., None] * W["score"] * (1 - seen**2)
    return d_h + d_seen.sum(axis=2) @ W["query"].T, d_memory + d_seen.sum(axis=1) @ W["key"].T


def _at_ends(layer: Unrolled, d: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
    """What the final states (N, H) are told, as `flow_back` takes it."""
    told = tuple(np.zeros_like(history) for history in layer.states)
    for history, part in zip(told, d, strict=True):
        history[np.arange(len(part)), layer.last] = part
    return told


def error_flow(network: Network, tree: Tree, batch: Batch) -> Way:
    """What the loss of each written answer, the mean over its tokens, sends back. An encoder without recurrent layers
    is a ValueError."""
    tree = {name: array.astype(np.float64) for name, array in tree.items()}
    x, answered, own = read(network, tree, batch).astype(np.float64), written(batch.y), decoder_tree(tree)
    encoder = unroll(network, tree, x, batch.mask)
    if not encoder:
        raise ValueError("an encoder without recurrent layers: expected one that reads step by step")
    ends = [tuple(h[np.arange(len(x)), layer.last] for h in layer.states) for layer in encoder]
    decoder = unroll(network.decoder, own, one_hot(batch.y, network.decoder.inputs), answered, ends)
    memory = Memory(encoder[-1].states[0], encoder[-1].valid)
    h = decoder[-1].states[0]
    out = attend(own, h, memory)[0] if network.decoder.attention else h
    share = answered.sum() / answered.sum(axis=1)
    outputs = out @ own["head.W"] + own["head.b"]
    d_h = share[:, None, None] * loss_gradient("cross_entropy", outputs, batch.y, answered) @ own["head.W"].T
    d_memory = np.zeros_like(memory.hidden)
    if network.decoder.attention:
        d_h, d_memory = _attention_back(own, h, memory, d_h)
    back = []
    for layer in reversed(decoder):
        back.append(flow_back(layer, told_h(layer, d_h)))
        d_h = back[-1].inputs
    down = []
    for layer, after in zip(reversed(encoder), back, strict=True):
        told = _at_ends(layer, after.start)
        down.append(flow_back(layer, (told[0] + d_memory, *told[1:])))
        d_memory = down[-1].inputs
    return Way(down[::-1], back[::-1])
