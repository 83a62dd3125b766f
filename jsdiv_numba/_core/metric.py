"""Metrics by name."""

SYMMETRIC = ("jensenshannon", "js_divergence")
METRICS = (*SYMMETRIC, "kl_divergence")


def named(metric: object, names: tuple[str, ...]) -> str:
    """Return the name of a metric among some.

    SciPy's other name of the distance will do, and any case.
    """
    name = metric.lower() if isinstance(metric, str) else ""
    name = "jensenshannon" if name == "js" else name
    if name not in names:
        raise ValueError(f"metric is {metric!r}; it must be one of {', '.join(map(repr, names))}")
    return name


def takes_root(metric: str) -> bool:
    """Return whether a symmetric metric is the distance, not the divergence."""
    if metric == SYMMETRIC[0]:
        return True
    return named(metric, SYMMETRIC) == SYMMETRIC[0]
