"""Recurrences of linear mixers in PyTorch, in the chunked forms of the public implementations, beside Nibble's.

    python3 Scripts/peers/linear_attention.py --nibble .build/release/nibble --time 1024,4096,16384

Prints milliseconds (medians) of the forward, for the scalar gate also of forward with backward (the gradient of a loop over
rows takes seconds), and with --nibble how many times as fast ours is. The two take turns, problem by problem.
"""

import argparse
import json
import statistics
import subprocess
import time

import torch


def in_chunks(x, chunk):
    """[batch, heads, time, ...] as [batch, heads, chunks, chunk, ...]."""
    return x.reshape(*x.shape[:2], -1, chunk, *x.shape[3:])


def decays_of(gate):
    """e^(b_r - b_s) on and below the diagonal, 0 above it; b the sums of the gates within a chunk, which come with it."""
    sums = gate.cumsum(-1)
    mask = torch.ones(gate.shape[-1], gate.shape[-1], dtype=torch.bool).tril()
    return sums, (sums.unsqueeze(-1) - sums.unsqueeze(-2)).masked_fill(~mask, float("-inf")).exp()


def scalar_gate(q, k, v, gate, chunk):
    """S_t = exp(g_t) S_{t-1} + k_t v_t^T, o_t = S_t^T q_t: everything for all chunks at once but the states."""
    shape = v.shape
    q, k, v, gate = (in_chunks(x, chunk) for x in (q, k, v, gate))
    sums, decay = decays_of(gate)
    inner = (q @ k.transpose(-1, -2) * decay) @ v
    last = sums[..., -1:]
    writes = (k * (last - sums).exp().unsqueeze(-1)).transpose(-1, -2) @ v
    states, state = [], torch.zeros_like(writes[:, :, 0])
    for index in range(q.shape[2]):
        states.append(state)
        state = state * last[:, :, index].exp().unsqueeze(-1) + writes[:, :, index]
    carried = (q * sums.exp().unsqueeze(-1)) @ torch.stack(states, 2)
    return (inner + carried).view(shape)


def gated_delta(q, k, v, beta, gate, chunk):
    """S = exp(g_t) S_{t-1}, S_t = S + k_t (beta_t (v_t - S^T k_t))^T, o_t = S_t^T q_t.

    The algorithm of the transformers library's fallback: the inverse of every chunk's triangular system row by row, for all
    chunks at once, then a loop over the chunks.
    """
    shape = v.shape
    q, k, v, beta, gate = (in_chunks(x, chunk) for x in (q, k, v, beta, gate))
    sums, decay = decays_of(gate)
    weighted = k * beta.unsqueeze(-1)
    system = -(weighted @ k.transpose(-1, -2) * decay).tril(-1)
    for index in range(1, chunk):
        # Copies, so that the rows can be replaced while gradients are recorded.
        row, above = system[..., index, :index].clone(), system[..., :index, :index].clone()
        system[..., index, :index] = row + (row.unsqueeze(-1) * above).sum(-2)
    inverse = system + torch.eye(chunk)
    values = inverse @ (v * beta.unsqueeze(-1))
    reads = inverse @ (weighted * sums.exp().unsqueeze(-1))
    outputs, state = [], torch.zeros(*shape[:2], k.shape[-1], shape[-1])
    for index in range(q.shape[2]):
        query, key, sum_ = q[:, :, index], k[:, :, index], sums[:, :, index]
        last = sum_[..., -1:]
        new = values[:, :, index] - reads[:, :, index] @ state
        inner = (query @ key.transpose(-1, -2) * decay[:, :, index]) @ new
        outputs.append((query * sum_.exp().unsqueeze(-1)) @ state + inner)
        written = (key * (last - sum_).exp().unsqueeze(-1)).transpose(-1, -2) @ new
        state = state * last.exp().unsqueeze(-1) + written
    return torch.stack(outputs, 2).view(shape)


def operands_of(mixer, shape):
    q, k, v = (torch.randn(shape) for _ in range(3))
    gate = -torch.rand(shape[:3])
    if mixer == "scalar_gate":
        return [q, k, v, gate]
    # Keys of length 1: longer ones make the state grow.
    return [q, torch.nn.functional.normalize(k, dim=-1), v, torch.rand(shape[:3]), gate]


MIXERS = {"scalar_gate": scalar_gate, "gated_delta": gated_delta}


def check(mixer, chunk):
    """Against the recurrence, token by token, in double precision."""
    operands = [x.double() for x in operands_of(mixer, (1, 2, 2 * chunk, 8))]
    q, k, v, *scalars = operands
    state, expected = torch.zeros(1, 2, 8, 8, dtype=torch.float64), []
    for t in range(q.shape[2]):
        state = state * scalars[-1][:, :, t, None, None].exp()
        update = v[:, :, t]
        if mixer == "gated_delta":
            read = (state * k[:, :, t].unsqueeze(-1)).sum(-2)
            update = scalars[0][:, :, t, None] * (update - read)
        state = state + k[:, :, t].unsqueeze(-1) * update.unsqueeze(-2)
        expected.append((state * q[:, :, t].unsqueeze(-1)).sum(-2))
    torch.set_default_dtype(torch.float64)
    error = (MIXERS[mixer](*operands, chunk) - torch.stack(expected, 2)).abs().max().item()
    torch.set_default_dtype(torch.float32)
    assert error < 1e-10, f"{mixer} is wrong by {error}"


def median_of(run, repetitions):
    run()
    samples = []
    for _ in range(repetitions):
        start = time.perf_counter()
        run()
        samples.append(time.perf_counter() - start)
    return statistics.median(samples)


def ours(options, mixer, length):
    """Seconds of Nibble's forward, and of its forward and backward together."""
    command = [options.nibble, "bench", "linear-attention", "--mixers", mixer, "--time", str(length), "--heads",
               str(options.heads), "--width", str(options.width), "--pass", "forward,backward", "--device", options.device,
               "--threads", str(options.threads), "--budget", "1", "--json"]
    result = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    forward, backward = (row["median_s"] for row in result["rows"])
    return forward, forward + backward


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--mixers", default=",".join(MIXERS))
    parser.add_argument("--time", default="1024,4096,16384")
    parser.add_argument("--heads", type=int, default=8)
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--chunk", type=int, default=64)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repetitions", type=int, default=7)
    parser.add_argument("--nibble", help="the program that is measured beside")
    parser.add_argument("--device", default="pocl:0")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(1)
    for mixer in options.mixers.split(","):
        check(mixer, options.chunk)
        for length in map(int, options.time.split(",")):
            inputs = [x.requires_grad_() for x in operands_of(mixer, (1, options.heads, length, options.width))]
            cotangent = torch.randn(1, options.heads, length, options.width)

            def forward():
                with torch.no_grad():
                    MIXERS[mixer](*inputs, options.chunk)

            def both():
                torch.autograd.grad(MIXERS[mixer](*inputs, options.chunk), inputs, cotangent)

            runs = [forward] if mixer == "gated_delta" else [forward, both]
            rival = [median_of(run, options.repetitions) for run in runs]
            mine = ours(options, mixer, length) if options.nibble else (None, None)
            for name, seconds, own in zip(("forward", "forward and backward"), rival, mine):
                beside = f"   nibble {1e3 * own:8.2f} ms   {seconds / own:5.2f}x as fast" if own else ""
                print(f"{mixer:11s} time {length:6d} {name:20s}   torch {1e3 * seconds:8.2f} ms{beside}", flush=True)


if __name__ == "__main__":
    main()
