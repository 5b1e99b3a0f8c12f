#!/usr/bin/env python3
"""The step `farm bench train` times, in PyTorch: forward, cross-entropy, backward, clipping and AdamW on random tokens.

    pytorch_train.py --config MODEL/config.json --batch 8 --sequence 256 --threads 2 --repeat 3

Prints {"torch", "threads", "batch", "sequence", "seconds_per_step", "tokens_per_second", "peak_rss_bytes"}: the median
of the steps after one that warms up. Plain eager PyTorch 1.13 or newer, float32, weights drawn at random: the work does
not depend on them.
"""
import argparse
import json
import math
import resource
import statistics
import time

import torch
from torch import nn
from torch.nn import functional as F


class RmsNorm(nn.Module):
    def __init__(self, size, epsilon):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))
        self.epsilon = epsilon

    def forward(self, x):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.epsilon) * self.weight


def rotate(x, cosine, sine):
    first, second = x.chunk(2, dim=-1)
    return x * cosine + torch.cat((-second, first), dim=-1) * sine


def causal_attention(q, k, v, mask):
    """[B, heads, T, D] each. The fused kernel where this PyTorch has one."""
    if hasattr(F, "scaled_dot_product_attention"):
        return F.scaled_dot_product_attention(q, k, v, is_causal=True)
    scores = torch.matmul(q, k.transpose(-1, -2)) / math.sqrt(q.shape[-1])
    return torch.matmul(torch.softmax(scores + mask, dim=-1), v)


class Layer(nn.Module):
    """A LLaMA layer; q, k, v and gate, up are one product each, as in Farm."""

    def __init__(self, config):
        super().__init__()
        hidden, mlp = config["hidden_size"], config["intermediate_size"]
        self.heads, self.kv_heads = config["num_attention_heads"], config["num_key_value_heads"]
        self.head_dim = config.get("head_dim") or hidden // self.heads
        query, keys = self.heads * self.head_dim, self.kv_heads * self.head_dim
        self.widths = (query, keys, keys)
        self.attention_norm = RmsNorm(hidden, config["rms_norm_eps"])
        self.qkv = nn.Linear(hidden, query + 2 * keys, bias=False)
        self.output = nn.Linear(query, hidden, bias=False)
        self.mlp_norm = RmsNorm(hidden, config["rms_norm_eps"])
        self.gate_up = nn.Linear(hidden, 2 * mlp, bias=False)
        self.down = nn.Linear(mlp, hidden, bias=False)

    def forward(self, x, cosine, sine, mask):
        batch, length, _ = x.shape
        q, k, v = self.qkv(self.attention_norm(x)).split(self.widths, dim=-1)
        q, k, v = (t.view(batch, length, -1, self.head_dim).transpose(1, 2) for t in (q, k, v))
        q, k = rotate(q, cosine, sine), rotate(k, cosine, sine)
        if self.kv_heads != self.heads:
            k, v = (t.repeat_interleave(self.heads // self.kv_heads, dim=1) for t in (k, v))
        x = x + self.output(causal_attention(q, k, v, mask).transpose(1, 2).reshape(batch, length, -1))
        gate, up = self.gate_up(self.mlp_norm(x)).chunk(2, dim=-1)
        return x + self.down(F.silu(gate) * up)


class Llama(nn.Module):
    def __init__(self, config, length):
        super().__init__()
        hidden, vocabulary = config["hidden_size"], config["vocab_size"]
        self.embedding = nn.Embedding(vocabulary, hidden)
        self.layers = nn.ModuleList(Layer(config) for _ in range(config["num_hidden_layers"]))
        self.norm = RmsNorm(hidden, config["rms_norm_eps"])
        self.head = nn.Linear(hidden, vocabulary, bias=False)
        if config.get("tie_word_embeddings"):
            self.head.weight = self.embedding.weight
        for parameter in self.parameters():
            if parameter.dim() == 2:
                nn.init.normal_(parameter, std=0.02)
        dim = self.layers[0].head_dim
        frequencies = config.get("rope_theta", 10000.0) ** (-torch.arange(0, dim, 2).float() / dim)
        angles = torch.outer(torch.arange(length).float(), frequencies).repeat(1, 2)
        self.register_buffer("cosine", angles.cos(), persistent=False)
        self.register_buffer("sine", angles.sin(), persistent=False)
        self.register_buffer("mask", torch.full((length, length), float("-inf")).triu(1), persistent=False)

    def forward(self, ids):
        x = self.embedding(ids)
        for layer in self.layers:
            x = layer(x, self.cosine, self.sine, self.mask)
        # The last position has no target, and gets no logits.
        return self.head(self.norm(x[:, :-1]))


def step(model, optimizer, ids):
    optimizer.zero_grad(set_to_none=True)
    logits = model(ids)
    loss = F.cross_entropy(logits.reshape(-1, logits.shape[-1]), ids[:, 1:].reshape(-1))
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return loss.item()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", required=True, help="config.json of a LLaMA model")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--sequence", type=int, default=256)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeat", type=int, default=3)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(1)
    with open(arguments.config, encoding="utf-8") as file:
        config = json.load(file)
    model = Llama(config, arguments.sequence)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5, weight_decay=0.0)
    ids = torch.randint(config["vocab_size"], (arguments.batch, arguments.sequence))
    loss = step(model, optimizer, ids)
    if not math.isfinite(loss):
        raise SystemExit("pytorch_train.py: the loss is not finite")
    seconds = []
    for _ in range(arguments.repeat):
        begin = time.perf_counter()
        step(model, optimizer, ids)
        seconds.append(time.perf_counter() - begin)
    median = statistics.median(seconds)
    print(json.dumps({
        "torch": torch.__version__,
        "threads": arguments.threads,
        "batch": arguments.batch,
        "sequence": arguments.sequence,
        "seconds_per_step": round(median, 5),
        "tokens_per_second": round(arguments.batch * arguments.sequence / median, 2),
        "peak_rss_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }))


if __name__ == "__main__":
    main()
