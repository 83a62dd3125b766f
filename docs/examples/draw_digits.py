"""Draw `docs/_static/digits.png`: handwritten digits, placed by their neighbours."""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot as plt
from sklearn.datasets import load_digits
from sklearn.manifold import TSNE
from sklearn.pipeline import make_pipeline

from jsdiv_numba.neighbors import JensenShannonNeighbors

PICTURE = Path(__file__).parents[1] / "_static" / "digits.png"


def main() -> None:
    """Embed and draw."""
    digits, labels = load_digits(return_X_y=True)
    tsne = TSNE(perplexity=30, metric="precomputed", init="random", random_state=1)
    x, y = make_pipeline(JensenShannonNeighbors(91), tsne).fit_transform(digits).T
    figure, axes = plt.subplots(figsize=(6, 5), layout="constrained")
    for digit in range(10):
        chosen = labels == digit
        axes.scatter(x[chosen], y[chosen], s=5, color=f"C{digit}", label=str(digit))
    axes.set(xticks=[], yticks=[])
    axes.legend(markerscale=3, frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    figure.savefig(PICTURE, dpi=120)


if __name__ == "__main__":
    main()
