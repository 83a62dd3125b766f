"""Teach a small network what a larger one knows of digits, of which it never sees any 3.

Draws `docs/_static/distil.png`. A teacher learns handwritten digits with their labels. Two
students see no 3 at all: one learns the labels, the other what the teacher thinks of each picture,
by the Jensen-Shannon divergence of the logits. What the second knows of 3s is in how the teacher
doubts its 8s, 5s and 2s.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn

from jsdiv_numba.torch import js_divergence_logit

UNSEEN = 3
TEMPERATURE = 4.0
STEPS = 250


def network(width: int) -> nn.Module:
    """Return an untrained network."""
    return nn.Sequential(nn.Linear(64, width), nn.ReLU(), nn.Linear(width, 10))


def train(model: nn.Module, pictures: torch.Tensor, loss) -> nn.Module:
    """Train a model on all pictures at once."""
    optimiser = torch.optim.Adam(model.parameters(), lr=0.02)
    for _ in range(STEPS):
        optimiser.zero_grad()
        loss(model(pictures)).backward()
        optimiser.step()
    return model


def learn() -> dict[str, np.ndarray]:
    """Return the share of test pictures of each digit that each network names rightly."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    data, digits = load_digits(return_X_y=True)
    split = train_test_split(data / 16, digits, random_state=0, stratify=digits)
    pictures, tests = (torch.tensor(each, dtype=torch.float32) for each in split[:2])
    labels, answers = (torch.tensor(each) for each in split[2:])
    teacher = train(network(128), pictures, lambda y: nn.functional.cross_entropy(y, labels))

    seen = pictures[labels != UNSEEN]
    seen_labels = labels[labels != UNSEEN]
    with torch.no_grad():
        thoughts = teacher(seen) / TEMPERATURE

    def from_teacher(logits: torch.Tensor) -> torch.Tensor:
        return js_divergence_logit(logits / TEMPERATURE, thoughts).mean() * TEMPERATURE**2

    def from_labels(logits: torch.Tensor) -> torch.Tensor:
        return nn.functional.cross_entropy(logits, seen_labels)

    models = {
        "teacher": teacher,
        "student of labels": train(network(24), seen, from_labels),
        "student of the teacher": train(network(24), seen, from_teacher),
    }
    with torch.no_grad():
        right = {name: (model(tests).argmax(1) == answers) for name, model in models.items()}
    return {
        name: np.array([float(each[answers == digit].float().mean()) for digit in range(10)])
        for name, each in right.items()
    }


def draw(shares: dict[str, np.ndarray]) -> Figure:
    """Return the picture."""
    figure = Figure(figsize=(6.4, 4), layout="constrained", dpi=120)
    axes = figure.subplots()
    for i, (name, share) in enumerate(shares.items()):
        colour = ("0.75", "#2a6fbb", "#c2185b")[i]
        axes.bar(np.arange(10) + 0.27 * (i - 1), share, 0.26, color=colour, label=name)
    axes.axvspan(UNSEEN - 0.5, UNSEEN + 0.5, color="0.95", zorder=0)
    axes.set_xticks(range(10))
    axes.set(xlabel=f"digit; the students never saw a {UNSEEN}", ylabel="share named rightly")
    axes.legend(frameon=False, loc="upper center", bbox_to_anchor=(0.5, 1.15), ncols=3)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def main() -> None:
    """Train, and draw."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--plot", type=Path, default="distil.png")
    options = parser.parse_args()
    shares = learn()
    draw(shares).savefig(options.plot)
    for name, share in shares.items():
        others = np.delete(share, UNSEEN).mean()
        print(f"{name:24} of 3s {share[UNSEEN]:5.1%}, of the others {others:5.1%}")


if __name__ == "__main__":
    main()
