"""PyTorch's side of the comparisons: a training step of the reference configurations, and its fused attention.

  torch_peer.py train CONFIG [--mode eager|compile] [--steps N]
  torch_peer.py attention --time T [--width D] [--heads H] [--window W]

One JSON object on standard output: seconds with quartiles, tokens per second, the peak of memory. Threads: --threads N.
"""

import argparse
import json
import math
import resource
import statistics
import time

import torch
import torch.nn.functional as F

# The shapes of Nibble's presets of the same names.
SHAPES = {
    "tiny": dict(dim=256, layers=4, heads=4, kv_heads=4, ffn=688, vocab=256, time=256, batch=8),
    "small": dict(dim=384, layers=6, heads=6, kv_heads=6, ffn=1024, vocab=4096, time=512, batch=4),
    "base": dict(dim=512, layers=8, heads=8, kv_heads=4, ffn=1376, vocab=8192, time=512, batch=4),
    "gpt2": dict(dim=768, layers=12, heads=12, kv_heads=12, ffn=2048, vocab=50257, time=512, batch=1),
    "long": dict(dim=256, layers=4, heads=4, kv_heads=4, ffn=688, vocab=256, time=8192, batch=1),
}


class Decoder(torch.nn.Module):
    """A Llama-style decoder with a tied head; one list of weights per kind, one entry per layer."""

    def __init__(self, dim, layers, heads, kv_heads, ffn, vocab, time, batch):
        super().__init__()
        self.heads, self.kv_heads, self.width = heads, kv_heads, dim // heads
        keys = kv_heads * self.width

        def weights(rows, columns):
            values = [torch.nn.Parameter(0.02 * torch.randn(rows, columns)) for _ in range(layers)]
            return torch.nn.ParameterList(values)

        def gains():
            return torch.nn.ParameterList([torch.nn.Parameter(torch.ones(dim)) for _ in range(layers)])

        self.embedding = torch.nn.Parameter(0.02 * torch.randn(vocab, dim))
        self.query, self.key, self.value = weights(dim, dim), weights(keys, dim), weights(keys, dim)
        self.out = weights(dim, dim)
        self.gate, self.up, self.down = weights(ffn, dim), weights(ffn, dim), weights(dim, ffn)
        self.before_mixer, self.before_mlp = gains(), gains()
        self.last = torch.nn.Parameter(torch.ones(dim))
        rates = 1e4 ** (-torch.arange(0, self.width, 2) / self.width)
        angles = torch.arange(time).unsqueeze(1) * rates
        self.register_buffer("cosine", angles.cos())
        self.register_buffer("sine", angles.sin())

    def norm(self, states, gain):
        return F.rms_norm(states, gain.shape, gain, 1e-5)

    def split(self, states, heads):
        return states.unflatten(-1, (heads, self.width)).transpose(1, 2)

    def rotate(self, heads):
        left, right = heads.chunk(2, -1)
        turned = (left * self.cosine - right * self.sine, right * self.cosine + left * self.sine)
        return torch.cat(turned, -1)

    def forward(self, tokens, labels):
        states = F.embedding(tokens, self.embedding)
        for layer in range(len(self.query)):
            inner = self.norm(states, self.before_mixer[layer])
            query = self.rotate(self.split(F.linear(inner, self.query[layer]), self.heads))
            key = self.rotate(self.split(F.linear(inner, self.key[layer]), self.kv_heads))
            value = self.split(F.linear(inner, self.value[layer]), self.kv_heads)
            mixed = F.scaled_dot_product_attention(
                query, key, value, is_causal=True, enable_gqa=self.heads != self.kv_heads)
            states = states + F.linear(mixed.transpose(1, 2).flatten(2), self.out[layer])
            inner = self.norm(states, self.before_mlp[layer])
            gated = F.silu(F.linear(inner, self.gate[layer])) * F.linear(inner, self.up[layer])
            states = states + F.linear(gated, self.down[layer])
        logits = F.linear(self.norm(states, self.last), self.embedding)
        return F.cross_entropy(logits.flatten(0, 1), labels.flatten())


def summary(seconds):
    low, middle, high = statistics.quantiles(seconds, n=4, method="inclusive")
    return {"median_s": middle, "quartiles_s": [low, high], "samples_s": seconds}


def clocked(action):
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def train(options):
    shape = SHAPES[options.config]
    model = Decoder(**shape)
    call = torch.compile(model) if options.mode == "compile" else model
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-4, betas=(0.9, 0.95), weight_decay=0.1, fused=True)
    text = torch.randint(shape["vocab"], (shape["batch"], shape["time"] + 1))

    def step():
        optimizer.zero_grad(set_to_none=True)
        loss = call(text[:, :-1], text[:, 1:])
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if not math.isfinite(loss.item()):
            raise SystemExit("error: the loss is not finite")

    first = [clocked(step) for _ in range(2)][0]
    result = summary([clocked(step) for _ in range(options.steps)])
    return {
        "config": options.config, "mode": options.mode,
        "parameters": sum(weight.numel() for weight in model.parameters()),
        "tokens_per_s": shape["batch"] * shape["time"] / result["median_s"], "first_step_s": first, **result,
    }


def attention(options):
    size = (1, options.heads, options.time, options.width)
    query, key, value = (torch.randn(size, requires_grad=True) for _ in range(3))
    cotangent = torch.randn(size)
    mask = None
    if options.window:
        distance = torch.arange(options.time).unsqueeze(1) - torch.arange(options.time)
        mask = (distance >= 0) & (distance < options.window)

    def forward():
        return F.scaled_dot_product_attention(query, key, value, attn_mask=mask, is_causal=mask is None)

    def backward(result):
        return clocked(lambda: torch.autograd.grad(result, (query, key, value), cotangent))

    backward(forward())
    forwards, backwards = [], []
    for _ in range(options.steps):
        with torch.no_grad():
            forwards.append(clocked(forward))
        backwards.append(backward(forward()))
    return {
        "time": options.time, "heads": options.heads, "width": options.width, "window": options.window,
        "forward": summary(forwards), "backward": summary(backwards),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(required=True)
    for name, action, steps in [("train", train, 7), ("attention", attention, 15)]:
        verb = verbs.add_parser(name)
        verb.set_defaults(action=action)
        verb.add_argument("--steps", type=int, default=steps)
        verb.add_argument("--threads", type=int, default=2)
        if action is train:
            verb.add_argument("config", choices=SHAPES)
            verb.add_argument("--mode", choices=["eager", "compile"], default="eager")
        else:
            verb.add_argument("--time", type=int, required=True)
            verb.add_argument("--heads", type=int, default=8)
            verb.add_argument("--width", type=int, default=64)
            verb.add_argument("--window", type=int)
    options = parser.parse_args()
    if options.steps < 2:
        parser.error("--steps: give 2 or more")
    torch.manual_seed(0)
    torch.set_num_threads(options.threads)
    result = options.action(options)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"peer": f"torch {torch.__version__}", **result, "peak_memory_bytes": peak}))


if __name__ == "__main__":
    main()
