"""The original forward pass, written from its description with numpy in float64: the yardstick for our model.

Slow, straight and independent of the library: no merged projections, one head at a time.
"""

from __future__ import annotations

import numpy as np


def random_arrays(length, kmer, dim, heads, blocks, head="meh", seed=0):
    """Original weights, in Keras layout, drawn at random (large enough that every part matters)."""
    random = np.random.default_rng(seed)

    def draw(*shape):
        return random.normal(0, 1 / np.sqrt(max(shape[0], 4)), shape)

    arrays = {
        "pos_embedding.embeddings": draw(2 * length, dim),
        "strand_embedding.embeddings": draw(2, dim),
        "kmer_dense.kernel": draw(kmer * 6, dim),
        "kmer_dense.bias": draw(dim),
        "expression_dense.kernel": draw(dim, 1),
        "expression_dense.bias": draw(1),
    }
    if head != "ap":
        arrays |= {"expression_embedding.kernel": draw(1, dim), "expression_embedding.bias": draw(dim)}
        arrays |= {"nucleotide_dense.kernel": draw(dim, 6), "nucleotide_dense.bias": draw(6)}
    if head == "glu":
        arrays |= {"glu_dense.kernel": draw(dim, 2 * dim), "glu_dense.bias": draw(2 * dim)}
    for i in range(blocks):
        shapes = {
            "conv.depthwise_kernel": (15, dim, 1), "conv.pointwise_kernel": (1, dim, dim), "conv.bias": (dim,),
            "attn.output.kernel": (heads, dim, dim), "attn.output.bias": (dim,),
        }  # fmt: skip
        for ff in ("ff1", "ff2"):
            shapes |= {f"{ff}.dense1.kernel": (dim, 4 * dim), f"{ff}.dense2.kernel": (2 * dim, dim)}
        for part in ("query", "key", "value"):
            shapes |= {f"attn.{part}.kernel": (dim, heads, dim), f"attn.{part}.bias": (heads, dim)}
        arrays |= {f"blocks.{i}.{name}": draw(*shape) for name, shape in shapes.items()}
        for ln in ("ff1.ln", "ff2.ln", "conv.ln", "ln"):
            arrays |= {f"blocks.{i}.{ln}.gamma": 1 + 0.3 * draw(dim), f"blocks.{i}.{ln}.beta": draw(dim)}
    return arrays


def _norm(x, w, name):
    centred = x - x.mean(-1, keepdims=True)
    return centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-6) * w[f"{name}.gamma"] + w[f"{name}.beta"]


def _sigmoid(x):
    return 1 / (1 + np.exp(-x))


def _feed_forward(x, w, name):
    a, b = np.split(_norm(x, w, f"{name}.ln") @ w[f"{name}.dense1.kernel"], 2, axis=-1)
    return (a * b * _sigmoid(b)) @ w[f"{name}.dense2.kernel"]


def _conv(x, w, name):
    n, kernel = _norm(x, w, f"{name}.ln"), w[f"{name}.depthwise_kernel"][:, :, 0]
    padded = np.pad(n, ((7, 7), (0, 0)))
    mixed = sum(padded[t : t + len(n)] * kernel[t] for t in range(15))
    return np.maximum(mixed @ w[f"{name}.pointwise_kernel"][0] + w[f"{name}.bias"], 0)


def _attention(x, w, name):
    out = np.zeros_like(x)
    for h in range(w[f"{name}.query.bias"].shape[0]):
        q, k, v = (x @ w[f"{name}.{p}.kernel"][:, h] + w[f"{name}.{p}.bias"][h] for p in ("query", "key", "value"))
        scores = np.exp(q @ k.T / np.sqrt(x.shape[1]))
        out += scores / scores.sum(1, keepdims=True) @ v @ w[f"{name}.output.kernel"][h]
    return out + w[f"{name}.output.bias"]


def forward(codes, w, kmer, blocks, head="meh", tokens=32):
    """One sequence, codes [2L]: (expression, nucleotide logits [2L, 6] or None)."""
    positions = len(codes)
    hot = np.zeros((positions + kmer - 1, 6))
    hot[np.arange(positions) + (kmer - 1) // 2, codes] = 1
    patches = np.stack([hot[t : t + kmer].reshape(-1) for t in range(positions)])
    x = patches @ w["kmer_dense.kernel"] + w["kmer_dense.bias"] + w["pos_embedding.embeddings"]
    x += np.repeat(w["strand_embedding.embeddings"], positions // 2, axis=0)
    if head != "ap":
        start = np.zeros((tokens, 1)) @ w["expression_embedding.kernel"] + w["expression_embedding.bias"]
        x = np.concatenate([start, x])
    for i in range(blocks):
        at = f"blocks.{i}"
        x = x + 0.5 * _feed_forward(x, w, f"{at}.ff1")
        x = x + _conv(x, w, f"{at}.conv")
        x = _norm(x, w, f"{at}.ln")
        x = x + _attention(x, w, f"{at}.attn")
        x = x + 0.5 * _feed_forward(x, w, f"{at}.ff2")
    kernel, bias = w["expression_dense.kernel"], w["expression_dense.bias"]
    if head == "ap":
        return (x.mean(0) @ kernel + bias)[0], None
    e = x[:tokens]
    if head == "glu":
        a, b = np.split(e @ w["glu_dense.kernel"] + w["glu_dense.bias"], 2, axis=-1)
        e = a * _sigmoid(b)
    return (e @ kernel + bias).mean(), x[tokens:] @ w["nucleotide_dense.kernel"] + w["nucleotide_dense.bias"]
