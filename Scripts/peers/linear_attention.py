"""The scalar-gated recurrence in PyTorch, all chunks at once: what `nibble bench linear-attention` is compared with.

    python3 Scripts/peers/linear_attention.py --time 1024,4096,16384 --heads 8 --width 64

Prints milliseconds (median of the repetitions) and thousand tokens per second, forward and forward with backward.
"""

import argparse
import statistics
import time

import torch


def scalar_gate(q, k, v, gate, chunk):
    """S_t = exp(g_t) S_{t-1} + k_t v_t^T, o_t = S_t^T q_t; q, k, v [batch, heads, time, width], gate [batch, heads, time]."""
    batch, heads, length, width = q.shape
    count = length // chunk
    q, k, v = (x.view(batch, heads, count, chunk, width) for x in (q, k, v))
    sums = gate.view(batch, heads, count, chunk).cumsum(-1)
    mask = torch.ones(chunk, chunk, dtype=torch.bool).tril()
    decay = (sums.unsqueeze(-1) - sums.unsqueeze(-2)).masked_fill(~mask, float("-inf")).exp()
    inner = (q @ k.transpose(-1, -2) * decay) @ v
    last = sums[..., -1:]
    writes = (k * (last - sums).exp().unsqueeze(-1)).transpose(-1, -2) @ v
    states, state = [], torch.zeros_like(writes[:, :, 0])
    for index in range(count):
        states.append(state)
        state = state * last[:, :, index].exp().unsqueeze(-1) + writes[:, :, index]
    carried = (q * sums.exp().unsqueeze(-1)) @ torch.stack(states, 2)
    return (inner + carried).view(batch, heads, length, width)


def median_of(run, repetitions):
    run()
    samples = []
    for _ in range(repetitions):
        start = time.perf_counter()
        run()
        samples.append(time.perf_counter() - start)
    return statistics.median(samples)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--time", default="1024,4096,16384")
    parser.add_argument("--heads", type=int, default=8)
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--chunk", type=int, default=64)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repetitions", type=int, default=7)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(1)
    for length in map(int, options.time.split(",")):
        shape = (1, options.heads, length, options.width)
        q, k, v, cotangent = (torch.randn(shape) for _ in range(4))
        gate = -torch.rand(shape[:3])
        inputs = [x.requires_grad_() for x in (q, k, v, gate)]

        def forward():
            with torch.no_grad():
                scalar_gate(q, k, v, gate, options.chunk)

        def both():
            torch.autograd.grad(scalar_gate(q, k, v, gate, options.chunk), inputs, cotangent)

        for name, run in (("forward", forward), ("forward and backward", both)):
            seconds = median_of(run, options.repetitions)
            print(f"scalar_gate time {length:6d} {name:21s} {1e3 * seconds:8.2f} ms {length / seconds / 1e3:8.0f} thousand tokens/s")


if __name__ == "__main__":
    main()
