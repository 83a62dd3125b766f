"""Metrics by name."""

METRICS = ("jensenshannon", "js_divergence")


def takes_root(metric: str) -> bool:
    """Return whether a metric is the distance, not the divergence.

    SciPy's other name of the distance will do, and any case.
    """
    if metric == METRICS[0]:
        return True
    name = metric.lower() if isinstance(metric, str) else metric
    if name not in (*METRICS, "js"):
        raise ValueError(f"metric is {metric!r}; it must be one of {', '.join(map(repr, METRICS))}")
    return name != "js_divergence"
