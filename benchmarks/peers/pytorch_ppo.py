#!/usr/bin/env python3
"""One outer step of PPO in straightforward PyTorch, timed: the peer of `farm ppo`.

The model is a LLaMA decoder of the shape in a config.json with random weights; four networks (policy, value, reference,
reward). A step samples --rollouts responses of exactly --response-len tokens with a key/value cache, scores them under
all four, and makes --epochs passes of updates over policy and value with the masked losses of `farm ppo`.

    python3 pytorch_ppo.py --config MODEL/config.json --threads 2
"""

import argparse
import json
import time

import torch
import torch.nn.functional as F
from torch import nn


class Layer(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.heads, self.kv = c["num_attention_heads"], c.get("num_key_value_heads", c["num_attention_heads"])
        self.dim = c.get("head_dim") or c["hidden_size"] // self.heads
        h = c["hidden_size"]
        self.norm1, self.norm2 = nn.Parameter(torch.ones(h)), nn.Parameter(torch.ones(h))
        self.qkv = nn.Linear(h, (self.heads + 2 * self.kv) * self.dim, bias=False)
        self.out = nn.Linear(self.heads * self.dim, h, bias=False)
        self.gate_up = nn.Linear(h, 2 * c["intermediate_size"], bias=False)
        self.down = nn.Linear(c["intermediate_size"], h, bias=False)

    def forward(self, x, cos, sin, mask, cache):
        b, t, _ = x.shape
        q, k, v = self.qkv(rms(x, self.norm1)).split([self.heads * self.dim, self.kv * self.dim, self.kv * self.dim], -1)
        q = rotate(q.view(b, t, self.heads, self.dim).transpose(1, 2), cos, sin)
        k = rotate(k.view(b, t, self.kv, self.dim).transpose(1, 2), cos, sin)
        v = v.view(b, t, self.kv, self.dim).transpose(1, 2)
        if cache is not None:
            if cache[0] is not None:
                k, v = torch.cat([cache[0], k], 2), torch.cat([cache[1], v], 2)
            cache[0], cache[1] = k, v
        group = self.heads // self.kv
        k, v = k.repeat_interleave(group, 1), v.repeat_interleave(group, 1)
        weights = q @ k.transpose(2, 3) / self.dim**0.5
        if mask is not None:
            weights = weights + mask
        y = (weights.softmax(-1) @ v).transpose(1, 2).reshape(b, t, -1)
        x = x + self.out(y)
        gate, up = self.gate_up(rms(x, self.norm2)).chunk(2, -1)
        return x + self.down(F.silu(gate) * up)


class Llama(nn.Module):
    def __init__(self, c, scalar=False):
        super().__init__()
        self.c = c
        self.embed = nn.Embedding(c["vocab_size"], c["hidden_size"])
        self.layers = nn.ModuleList(Layer(c) for _ in range(c["num_hidden_layers"]))
        self.norm = nn.Parameter(torch.ones(c["hidden_size"]))
        self.head = nn.Linear(c["hidden_size"], 1 if scalar else c["vocab_size"], bias=scalar)
        if not scalar and c.get("tie_word_embeddings"):
            self.head.weight = self.embed.weight
        dim = self.layers[0].dim
        angles = torch.outer(torch.arange(c["max_position_embeddings"]).float(), 10000 ** (-torch.arange(0, dim, 2).float() / dim))
        self.register_buffer("cos", angles.cos())
        self.register_buffer("sin", angles.sin())
        for p in self.parameters():
            if p.dim() > 1:
                nn.init.normal_(p, std=0.02)

    def forward(self, ids, start=0, cache=None):
        t = ids.shape[1]
        x, cos, sin = self.embed(ids), self.cos[start : start + t], self.sin[start : start + t]
        mask = torch.full((t, t), float("-inf")).triu(1) if t > 1 else None
        for i, layer in enumerate(self.layers):
            x = layer(x, cos, sin, mask, None if cache is None else cache[i])
        return rms(x, self.norm)


def rms(x, weight):
    return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6) * weight


def rotate(x, cos, sin):
    a, b = x.chunk(2, -1)
    return torch.cat([a * cos - b * sin, b * cos + a * sin], -1)


@torch.no_grad()
def sample(model, prompts, length, batch):
    out = []
    for ids in prompts.split(batch):
        cache = [[None, None] for _ in model.layers]
        hidden, tokens = model(ids, 0, cache)[:, -1:], []
        for t in range(length):
            token = torch.multinomial(model.head(hidden[:, -1]).softmax(-1), 1)
            tokens.append(token)
            if t + 1 < length:
                hidden = model(token, prompts.shape[1] + t, cache)
        out.append(torch.cat(tokens, 1))
    return torch.cat(out)


def logprobs(model, ids, length):
    hidden = model(ids[:, :-1])[:, -length:]
    return model.head(hidden).log_softmax(-1).gather(-1, ids[:, -length:, None])[..., 0]


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--config", required=True)
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--rollouts", type=int, default=512)
    p.add_argument("--prompt-len", type=int, default=64)
    p.add_argument("--response-len", type=int, default=64)
    p.add_argument("--rollout-batch", type=int, default=64)
    p.add_argument("--step-batch", type=int, default=256)
    p.add_argument("--micro-batch", type=int, default=16)
    p.add_argument("--epochs", type=int, default=2)
    p.add_argument("--repeat", type=int, default=2)
    a = p.parse_args()
    torch.set_num_threads(a.threads)
    torch.manual_seed(0)
    config = json.load(open(a.config))
    policy, reference = Llama(config), Llama(config)
    value, reward = Llama(config, scalar=True), Llama(config, scalar=True)
    reference.load_state_dict(policy.state_dict())
    optimizer = torch.optim.AdamW([*policy.parameters(), *value.parameters()], lr=1e-5, eps=1e-5)
    prompts = torch.randint(3, config["vocab_size"], (a.rollouts, a.prompt_len))
    for _ in range(a.repeat):
        start = time.perf_counter()
        responses = sample(policy, prompts, a.response_len, a.rollout_batch)
        sampled = time.perf_counter()
        ids, n = torch.cat([prompts, responses], 1), a.response_len
        with torch.no_grad():
            parts = ids.split(a.micro_batch)
            old = torch.cat([logprobs(policy, i, n) for i in parts])
            ref = torch.cat([logprobs(reference, i, n) for i in parts])
            values = torch.cat([value.head(value(i[:, :-1])[:, -n:])[..., 0] for i in parts])
            scores = torch.cat([reward.head(reward(i)[:, -1])[..., 0] for i in parts])
            rewards = -0.0067 * (old - ref)
            rewards[:, -1] += scores
            advantage, advantages = torch.zeros(a.rollouts), torch.zeros_like(rewards)
            for t in reversed(range(n)):
                later = values[:, t + 1] if t + 1 < n else 0.0
                advantage = rewards[:, t] + later - values[:, t] + advantage
                advantages[:, t] = advantage
            returns = advantages + values
            advantages = (advantages - advantages.mean()) / (advantages.std(unbiased=False) + 1e-8)
        scored = time.perf_counter()
        for _ in range(a.epochs):
            for update in torch.randperm(a.rollouts).split(a.step_batch):
                optimizer.zero_grad()
                for i in update.split(a.micro_batch):
                    ratio = (logprobs(policy, ids[i], n) - old[i]).exp()
                    policy_loss = torch.max(-advantages[i] * ratio, -advantages[i] * ratio.clamp(0.8, 1.2)).mean()
                    new = value.head(value(ids[i, :-1])[:, -n:])[..., 0]
                    clipped = torch.min(torch.max(new, values[i] - 0.2), values[i] + 0.2)
                    value_loss = 0.5 * torch.max((new - returns[i]) ** 2, (clipped - returns[i]) ** 2).mean()
                    ((policy_loss + 0.1 * value_loss) * len(i) / len(update)).backward()
                nn.utils.clip_grad_norm_([*policy.parameters(), *value.parameters()], 1.0)
                optimizer.step()
        done = time.perf_counter()
        print(json.dumps({"sampling": sampled - start, "scoring": scored - sampled, "updates": done - scored, "seconds": done - start, "response_tokens_per_second": a.rollouts * n / (done - start)}))


if __name__ == "__main__":
    main()
