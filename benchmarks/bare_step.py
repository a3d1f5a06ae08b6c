"""One training step of the same network as a bare PyTorch loop, to hold the project's against; see `training_step`.

    python benchmarks/bare_step.py [--steps 15] [--threads 1]

Needs PyTorch and NumPy only, so that it can run in an environment of its own.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings

import numpy as np
import torch
from torch import nn
from torch.nn import functional

warnings.simplefilter("ignore")
NUM_COLUMNS, NUM_VIEWS, SIDE, UNITS, NUM_ROWS = 60, 4, 64, 64, 32


class Network(nn.Module):
    """The photos' convolutions, the table's layers, a weighted sum, a head, and the linear path."""

    def __init__(self) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList([nn.Conv2d(3, 32, 4, 4), nn.Conv2d(32, 64, 2, 2), nn.Conv2d(64, 64, 2, 2)])
        self.photo_hidden, self.photo_output = nn.Linear(1024, 4 * UNITS), nn.Linear(4 * UNITS, UNITS)
        self.scale = nn.Parameter(torch.randn(NUM_VIEWS, 4 * UNITS))
        self.shift = nn.Parameter(torch.zeros(NUM_VIEWS, 4 * UNITS))
        self.no_photos, self.no_table = nn.Parameter(torch.zeros(UNITS)), nn.Parameter(torch.zeros(UNITS))
        self.table_hidden, self.table_output = nn.Linear(NUM_COLUMNS, 2 * UNITS), nn.Linear(2 * UNITS, UNITS)
        self.alpha = nn.Parameter(torch.zeros(()))
        self.head_hidden, self.head = nn.Linear(UNITS, UNITS), nn.Linear(UNITS, 1)
        self.linear = nn.Linear(NUM_COLUMNS, 1, bias=False)

    def forward(
        self, table: torch.Tensor, has_table: torch.Tensor, photos: torch.Tensor, mask: torch.Tensor
    ) -> torch.Tensor:
        """Predict rows, float32 ``(n, 1)``, in training."""
        keep = torch.rand(len(table), 2) >= 0.1
        has_table, mask = has_table & keep[:, :1], mask & keep[:, 1:]
        table = torch.where(has_table, table, 0.0)
        x = augment(photos.reshape(-1, SIDE, SIDE, 3)).permute(0, 3, 1, 2).float() / 127.5 - 1
        x = x.contiguous(memory_format=torch.channels_last)
        for convolution in self.convolutions:
            x = functional.relu(convolution(x))
        x = x.permute(0, 2, 3, 1).reshape(len(table), NUM_VIEWS, 1024)
        x = functional.relu(self.photo_hidden(functional.dropout(x, 0.6)) * self.scale + self.shift)
        x = functional.silu(self.photo_output(x))
        weights = mask.float().unsqueeze(-1)
        x = (x * weights).sum(1) / weights.sum(1).clamp(min=1)
        x = torch.where(mask.any(1, keepdim=True), x, self.no_photos)
        t = functional.dropout(functional.silu(self.table_hidden(table)), 0.15)
        t = torch.where(has_table, functional.silu(self.table_output(t)), self.no_table)
        share = torch.sigmoid(self.alpha)
        merged = share * t + (1 - share) * x
        return self.head(functional.silu(self.head_hidden(merged))) + self.linear(table)


def augment(photos: torch.Tensor) -> torch.Tensor:
    """Mirror each with a chance of one half, and shift all by a few pixels."""
    photos = torch.where(torch.rand(len(photos), 1, 1, 1) < 0.5, photos.flip(2), photos)
    for axis in (1, 2):
        offset = int(torch.randint(-3, 4, ()))
        photos = photos.index_select(axis, (torch.arange(SIDE) + offset).clamp(0, SIDE - 1))
    return photos


def main() -> None:
    """Print the processor's and the clock's seconds of each step as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=15)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    random = np.random.default_rng(0)
    table = torch.tensor(random.normal(size=(NUM_ROWS, NUM_COLUMNS)).astype("float32"))
    photos = torch.tensor(random.integers(0, 256, (NUM_ROWS, NUM_VIEWS, SIDE, SIDE, 3), dtype="uint8"))
    has_table, mask = torch.ones(NUM_ROWS, 1, dtype=torch.bool), torch.ones(NUM_ROWS, NUM_VIEWS, dtype=torch.bool)
    target = torch.tensor(random.normal(size=(NUM_ROWS, 1)).astype("float32"))
    network = Network().to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(network.parameters(), 1e-3, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 1000)
    found = []
    for number in range(5 + options.steps):
        started, clock = time.process_time(), time.perf_counter()
        optimizer.zero_grad()
        loss = (network(table, has_table, photos, mask) - target).abs().mean()
        loss.backward()
        optimizer.step()
        schedule.step()
        loss.item()
        if number >= 5:
            found.append([time.process_time() - started, time.perf_counter() - clock])
    print(json.dumps(found))


if __name__ == "__main__":
    main()
