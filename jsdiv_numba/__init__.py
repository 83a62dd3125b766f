"""The Jensen-Shannon divergence over NumPy arrays: accurate, fast, compiled by Numba.

Every public name is loaded on first use, so that importing the package costs
little more than importing NumPy.
"""

import importlib
import sys
from importlib.machinery import PathFinder
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._core.threads import set_workers
    from .contribution import Contribution, Contributions, contributions
    from .distance import cdist, jensenshannon, pdist
    from .divergence import (
        js_divergence,
        js_divergence_logit,
        js_divergence_many,
        kl_divergence,
        kl_divergence_logit,
    )
    from .entropies import entropy, entropy_logit
    from .gradient import (
        entropy_grad,
        entropy_logit_grad,
        js_divergence_grad,
        js_divergence_logit_grad,
        js_divergence_many_grad,
        kl_divergence_grad,
        kl_divergence_logit_grad,
    )
    from .loss import (
        EntropyLogitLoss,
        EntropyLoss,
        JSDivergenceLogitLoss,
        JSDivergenceLoss,
        KLDivergenceLogitLoss,
        KLDivergenceLoss,
        Loss,
    )
    from .neighbors import (
        kneighbors,
        kneighbors_graph,
        radius_neighbors,
        radius_neighbors_graph,
    )
    from .scalarise import (
        Scalarisation,
        max_scalarise,
        mean_scalarise,
        meansq_scalarise,
        norm_scalarise,
        selfwmean,
        selfwmean_scalarise,
        sum_scalarise,
        vnorm_scalarise,
        wmean,
        wmean_scalarise,
    )
    from .scheme import (
        LossApply,
        LossArgument,
        LossReturn,
        LossScheme,
        Terms,
        UnpackingLossArgument,
    )
    from .ufuncs import (
        entropy_sum,
        entropy_sum_logit,
        entropy_term,
        js_sum,
        js_sum_logit,
        js_term,
        kl_sum,
        kl_sum_logit,
        kl_term,
    )

__version__ = "0.1.0"

__all__ = [
    "Contribution",
    "Contributions",
    "EntropyLogitLoss",
    "EntropyLoss",
    "JSDivergenceLogitLoss",
    "JSDivergenceLoss",
    "KLDivergenceLogitLoss",
    "KLDivergenceLoss",
    "Loss",
    "LossApply",
    "LossArgument",
    "LossReturn",
    "LossScheme",
    "Scalarisation",
    "Terms",
    "UnpackingLossArgument",
    "__version__",
    "cdist",
    "contributions",
    "entropy",
    "entropy_grad",
    "entropy_logit",
    "entropy_logit_grad",
    "entropy_sum",
    "entropy_sum_logit",
    "entropy_term",
    "jensenshannon",
    "js_divergence",
    "js_divergence_grad",
    "js_divergence_logit",
    "js_divergence_logit_grad",
    "js_divergence_many",
    "js_divergence_many_grad",
    "js_sum",
    "js_sum_logit",
    "js_term",
    "kl_divergence",
    "kl_divergence_grad",
    "kl_divergence_logit",
    "kl_divergence_logit_grad",
    "kl_sum",
    "kl_sum_logit",
    "kl_term",
    "kneighbors",
    "kneighbors_graph",
    "max_scalarise",
    "mean_scalarise",
    "meansq_scalarise",
    "norm_scalarise",
    "pdist",
    "radius_neighbors",
    "radius_neighbors_graph",
    "selfwmean",
    "selfwmean_scalarise",
    "set_workers",
    "sum_scalarise",
    "vnorm_scalarise",
    "wmean",
    "wmean_scalarise",
]

_MODULES = {
    "Contribution": "contribution",
    "Contributions": "contribution",
    "EntropyLogitLoss": "loss",
    "EntropyLoss": "loss",
    "JSDivergenceLogitLoss": "loss",
    "JSDivergenceLoss": "loss",
    "KLDivergenceLogitLoss": "loss",
    "KLDivergenceLoss": "loss",
    "Loss": "loss",
    "LossApply": "scheme",
    "LossArgument": "scheme",
    "LossReturn": "scheme",
    "LossScheme": "scheme",
    "Terms": "scheme",
    "UnpackingLossArgument": "scheme",
    "cdist": "distance",
    "contributions": "contribution",
    "entropy": "entropies",
    "entropy_grad": "gradient",
    "entropy_logit": "entropies",
    "entropy_logit_grad": "gradient",
    "entropy_sum": "ufuncs",
    "entropy_sum_logit": "ufuncs",
    "entropy_term": "ufuncs",
    "jensenshannon": "distance",
    "js_divergence": "divergence",
    "js_divergence_grad": "gradient",
    "js_divergence_logit": "divergence",
    "js_divergence_logit_grad": "gradient",
    "js_divergence_many": "divergence",
    "js_divergence_many_grad": "gradient",
    "js_sum": "ufuncs",
    "js_sum_logit": "ufuncs",
    "js_term": "ufuncs",
    "kl_divergence": "divergence",
    "kl_divergence_grad": "gradient",
    "kl_divergence_logit": "divergence",
    "kl_divergence_logit_grad": "gradient",
    "kl_sum": "ufuncs",
    "kl_sum_logit": "ufuncs",
    "kl_term": "ufuncs",
    "kneighbors": "neighbors",
    "kneighbors_graph": "neighbors",
    "pdist": "distance",
    "radius_neighbors": "neighbors",
    "radius_neighbors_graph": "neighbors",
    "set_workers": "_core.threads",
}
"""Where each name lives; all others live in `scalarise`."""


class _CudaFinder:
    """Finds `jsdiv_numba.cuda`, before numba-cuda is asked for it.

    The finder of that package takes every module with "numba.cuda" in its name for
    one of its own, and this one sends it into an endless recursion.
    """

    @staticmethod
    def find_spec(name: str, path: Any = None, target: Any = None) -> Any:
        """Find that one module as Python does."""
        return PathFinder.find_spec(name, path, target) if name == f"{__name__}.cuda" else None


if any(type(finder).__module__ == "_numba_cuda_redirector" for finder in sys.meta_path):
    sys.meta_path.insert(0, _CudaFinder)


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = _MODULES.get(name, "scalarise")
    value = globals()[name] = getattr(importlib.import_module(f"{__name__}.{home}"), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
