"""The Gang and the fusions as their equations read: one token and one step at a time.

Slow on purpose, and written apart from the package. Every function computes with ``xp``,
which is numpy, for values, or torch, for gradients too. *Shapes* are those of the package:
``z`` (tokens, width), the Gang's ``h`` (tokens, windows, width).
"""

import math

import numpy

RECURRENCES = ("lstm", "bilstm", "gru", "rnn", "cnn", "mlp")
FUSIONS = ("mlp", "dot", "concat", "add")


def parameters_of(module):
    """The torch module's parameters by name, as numpy arrays in float64."""
    return {name: p.detach().numpy().astype("float64") for name, p in module.named_parameters()}


def unit_weights(parameters, j, window, recurrence):
    """What the Gang calls the weights of its window number ``j``; nothing else here knows.

    recurrent units: for each direction W, b (of the tokens), U, c (of the state; the lstm
    has but b).
    mlp: a matrix for each position of the window, and the bias.
    cnn: the matrices of the token before, the token itself, the token after; the bias.
    """
    own = {k.split(".", 2)[2]: v for k, v in parameters.items() if k.startswith(f"units.{j}.")}
    weight = own["project.weight"]
    width = len(own["bias"]) if recurrence == "cnn" else weight.shape[1]
    if recurrence == "mlp":
        width = weight.shape[0]
        blocks = [weight[:, o * width : (o + 1) * width] for o in range(window)]
        return blocks, own["project.bias"]
    if recurrence == "cnn":
        return *(weight[g * width : (g + 1) * width] for g in range(3)), own["bias"]
    rows, bias = len(weight) // 2, own["project.bias"]
    return {
        "right": (
            weight[:rows],
            bias[:rows],
            own["recur_right.weight"],
            own.get("recur_right.bias", 0),
        ),
        "left": (
            weight[rows:],
            bias[rows:],
            own["recur_left.weight"],
            own.get("recur_left.bias", 0),
        ),
    }


def hero_gang(z, lengths, parameters, windows, recurrence, fusion, xp=numpy):
    """Gang, then fusion."""
    h = gang(z, lengths, part_of(parameters, "gang"), windows, recurrence, xp)
    return fuse(z, h, part_of(parameters, "fusion"), fusion, xp)


def part_of(parameters, name):
    """The parameters of a part, such as the gang, by the names that they have there."""
    return {k.split(".", 1)[1]: v for k, v in parameters.items() if k.startswith(f"{name}.")}


def gang(z, lengths, parameters, windows, recurrence, xp=numpy):
    """Every window of every token of texts laid end to end."""
    weights = [unit_weights(parameters, j, w, recurrence) for j, w in enumerate(windows)]
    vectors = []
    start = 0
    for length in lengths:
        text = z[start : start + length]
        start += length
        for i in range(length):
            units = [UNITS[recurrence](text, i, w, p, xp) for w, p in zip(windows, weights)]
            vectors.append(xp.stack(units))
    return xp.stack(vectors)


def window_around(text, i, window):
    """The sub-sequence of token ``i``, cut at the ends of the text."""
    k = window // 2
    return text[max(0, i - k) : i + k + 1]


def read_both_ways(step):
    """A unit that reads the window in both directions and keeps the two last states."""

    def unit(text, i, window, weights, xp):
        tokens = list(window_around(text, i, window))
        return xp.concatenate(
            [
                last_state(step, tokens, weights["right"], xp),
                last_state(step, tokens[::-1], weights["left"], xp),
            ]
        )

    return unit


def read_up_to_token(step):
    """A unit that reads from either end of the window up to the token."""

    def unit(text, i, window, weights, xp):
        before = window_around(text[: i + 1], i, window)
        after = window_around(text[i:], 0, window)
        return xp.concatenate(
            [
                last_state(step, list(before), weights["right"], xp),
                last_state(step, list(after)[::-1], weights["left"], xp),
            ]
        )

    return unit


def last_state(step, tokens, weights, xp):
    """Read the tokens in the order given, from a state of zeros."""
    W, b, U, c = weights
    h = memory = xp.zeros_like(U[0])
    for x in tokens:
        h, memory = step(W @ x + b, U @ h + c, h, memory, xp)
    return h


def lstm_step(x, u, h, memory, xp):
    d = len(h)
    i, f, g, o = ((x + u)[n * d : (n + 1) * d] for n in range(4))
    memory = sigmoid(f, xp) * memory + sigmoid(i, xp) * xp.tanh(g)
    return sigmoid(o, xp) * xp.tanh(memory), memory


def gru_step(x, u, h, memory, xp):
    d = len(h)
    reset = sigmoid(x[:d] + u[:d], xp)
    update = sigmoid(x[d : 2 * d] + u[d : 2 * d], xp)
    new = xp.tanh(x[2 * d :] + reset * u[2 * d :])
    return (1 - update) * new + update * h, memory


def rnn_step(x, u, h, memory, xp):
    return xp.tanh(x + u), memory


def mlp_unit(text, i, window, weights, xp):
    """h_i = tanh(sum_o W_o z[i+o] + b); a position outside of the text adds nothing."""
    blocks, total = weights
    k = window // 2
    for offset in range(-k, k + 1):
        if 0 <= i + offset < len(text):
            total = total + blocks[offset + k] @ text[i + offset]
    return xp.tanh(total)


def cnn_unit(text, i, window, weights, xp):
    """h_i = max_j relu(W_- z[j-1] + W_0 z[j] + W_+ z[j+1] + b) over the window."""
    before, centre, after, bias = weights
    tokens = window_around(text, i, window)
    best = xp.zeros_like(bias)
    for j, x in enumerate(tokens):
        total = centre @ x + bias
        if j > 0:
            total = total + before @ tokens[j - 1]
        if j + 1 < len(tokens):
            total = total + after @ tokens[j + 1]
        best = xp.maximum(best, total)
    return best


UNITS = {
    "lstm": read_both_ways(lstm_step),
    "bilstm": read_up_to_token(lstm_step),
    "gru": read_both_ways(gru_step),
    "rnn": read_both_ways(rnn_step),
    "cnn": cnn_unit,
    "mlp": mlp_unit,
}


def fuse(z, h, parameters, fusion, xp=numpy):
    """Every token's windows and Hero vector as one."""
    return xp.stack([fuse_token(z[i], h[i], parameters, fusion, xp) for i in range(len(z))])


def fuse_token(z, h, parameters, fusion, xp):
    """z: *Shape:* (width,). h: *Shape:* (windows, width)."""
    sources = [*h, z]
    if fusion == "mlp":
        return attend(mlp_query(sources, parameters, xp), sources, xp)
    if fusion == "dot":
        return z + attend(z, list(h), xp)
    return {"concat": xp.concatenate, "add": sum}[fusion](sources)


def source_weights(z, h, parameters, fusion):
    """How much of each window, then of the Hero, is in every token's vector."""
    assert fusion in ("mlp", "dot")
    if fusion == "mlp":
        all_sources = [[*windows, hero] for windows, hero in zip(h, z)]
        return numpy.stack([attention(mlp_query(k, parameters), k) for k in all_sources])
    return numpy.stack([[*attention(hero, list(windows)), 1] for windows, hero in zip(h, z)])


def windows_part(z, h, parameters, fusion):
    """What the windows bring to every token's vector: all of it but the Hero's own part."""
    fused = fuse(z, h, parameters, fusion)
    if fusion in ("dot", "add"):
        return fused - z
    if fusion == "concat":
        return numpy.concatenate([h.reshape(len(h), -1), 0 * z], axis=1)
    return fused - source_weights(z, h, parameters, fusion)[:, -1:] * z


def mlp_query(sources, parameters, xp=numpy):
    """m = W concat(K) + b"""
    return parameters["query.weight"] @ xp.concatenate(sources) + parameters["query.bias"]


def attend(query, keys, xp):
    """softmax(query keys^T / sqrt(d)) keys"""
    return sum(weight * key for weight, key in zip(attention(query, keys, xp), keys))


def attention(query, keys, xp=numpy):
    """softmax(query keys^T / sqrt(d))"""
    scores = xp.stack([query @ key for key in keys]) / math.sqrt(len(query))
    weights = xp.exp(scores - scores.max())
    return weights / weights.sum()


def sigmoid(x, xp):
    return 1 / (1 + xp.exp(-x))
