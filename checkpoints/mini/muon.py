"""Muon for the matrices, AdamW for the rest.

Muon (Jordan et al. 2024, kellerjordan.github.io/posts/muon) takes the momentum of a matrix and
replaces it by the nearest orthogonal one. On few tokens it learns about twice as fast as AdamW.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor, nn

_QUINTIC = (3.4445, -4.7750, 2.0315)  # Jordan's coefficients: steepest slope at zero
_NEWTON_SCHULZ_STEPS = 5
_MOMENTUM = 0.95


def orthogonalize(matrices: Tensor) -> Tensor:
    """Bring the singular values of each matrix near one, by Newton-Schulz iteration.

    Args:
        matrices: [count, rows, columns], rows at most columns.
    """
    a, b, c = _QUINTIC
    x: Tensor = matrices / (matrices.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(_NEWTON_SCHULZ_STEPS):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x


class Muon:
    """The two optimizers as one, with a single factor on both learning rates."""

    def __init__(self, model: nn.Module, *, matrix_lr: float, other_lr: float, weight_decay: float) -> None:
        inside = [p for n, p in model.named_parameters() if ".layers." in n and len(p.shape) > 1]
        chosen = {id(p) for p in inside}
        others = [p for p in model.parameters() if id(p) not in chosen]
        # matrices of one shape are orthogonalized together, in a few large products
        self._groups: defaultdict[torch.Size, list[nn.Parameter]] = defaultdict(list)
        for parameter in inside:
            self._groups[parameter.shape].append(parameter)
        self._momenta = {shape: torch.zeros(len(g), *shape) for shape, g in self._groups.items()}
        self._matrix_lr, self._other_lr = matrix_lr, other_lr
        self._weight_decay = weight_decay
        self._adam = torch.optim.AdamW(others, lr=other_lr, betas=(0.9, 0.98), weight_decay=0.0, fused=True)

    def state(self) -> dict[str, Any]:
        """Return the momenta."""
        return {"momenta": list(self._momenta.values()), "adam": self._adam.state_dict()}

    def go_on(self, state: dict[str, Any]) -> None:
        """Take over what `state` returned."""
        self._momenta = dict(zip(self._momenta, state["momenta"], strict=True))
        self._adam.load_state_dict(state["adam"])

    def step(self, factor: float) -> None:
        """Update every parameter with ``factor`` times its learning rate; clear gradients."""
        for shape, parameters in self._groups.items():
            self._step_matrices(parameters, self._momenta[shape], factor * self._matrix_lr)
        self._adam.param_groups[0]["lr"] = factor * self._other_lr
        self._adam.step()
        self._adam.zero_grad()

    @torch.no_grad()
    def _step_matrices(self, parameters: Sequence[nn.Parameter], momentum: Tensor, lr: float) -> None:
        gradient = torch.stack([p.grad for p in parameters if p.grad is not None])
        momentum.lerp_(gradient, 1 - _MOMENTUM)
        update = gradient.lerp(momentum, _MOMENTUM)  # Nesterov's look ahead
        rows, columns = update.shape[1:]
        tall = rows > columns
        update = orthogonalize(update.mT).mT if tall else orthogonalize(update)
        scale = max(1.0, rows / columns) ** 0.5
        for parameter, change in zip(parameters, update, strict=True):
            parameter.mul_(1 - lr * self._weight_decay).add_(change, alpha=-lr * scale)
            parameter.grad = None
