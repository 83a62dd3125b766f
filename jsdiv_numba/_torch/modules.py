"""Losses as modules of PyTorch's."""

from typing import Any

import torch

from .._core.validation import EQUAL

REDUCTIONS = ("none", "mean", "batchmean", "sum")


class RowLoss(torch.nn.Module):
    """What the losses share: a divergence for each row, and what is made of all of them."""

    def __init__(
        self, reduction: str, axis: int, weight: Any, base: float | None, workers: int | None
    ) -> None:
        super().__init__()
        if reduction not in REDUCTIONS:
            names = ", ".join(map(repr, REDUCTIONS))
            raise ValueError(f"reduction is {reduction!r}; it must be one of {names}")
        self.reduction, self.axis, self.base, self.workers = reduction, axis, base, workers
        # A buffer moves with the module, and stands in no list of parameters.
        given = weight if isinstance(weight, torch.Tensor) else None
        self.register_buffer("weights", given, persistent=False)
        self.weight = None if given is not None else weight

    @property
    def settings(self) -> dict[str, Any]:
        """What the divergence is called with."""
        weight = self.weight if self.weights is None else self.weights
        settings = {"axis": self.axis, "base": self.base, "workers": self.workers}
        return {**settings, "keepdims": False, "weight": weight}

    def reduced(self, rows: torch.Tensor, batch: int) -> torch.Tensor:
        """Return what is wanted of the rows' divergences, for a batch of so many."""
        if self.reduction == "none":
            return rows
        if self.reduction == "mean":
            return rows.mean()
        return rows.sum() / batch if self.reduction == "batchmean" else rows.sum()

    def extra_repr(self) -> str:
        """Return what `repr` has between the brackets."""
        said = [f"reduction={self.reduction!r}", f"axis={self.axis}"]
        if self.weights is not None:
            said.append(f"weight=<of shape {tuple(self.weights.shape)}>")
        elif self.weight is not EQUAL:
            said.append(f"weight={self.weight}")
        return ", ".join(said if self.base is None else [*said, f"base={self.base:g}"])
