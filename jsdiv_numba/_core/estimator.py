"""What estimators are made of: scikit-learn's base classes, or the little they need without."""

from inspect import signature
from typing import Any

from . import alignment, pairwise, sparse

__all__ = ["base_class"]


class _Aligned:
    """What remembers in which order the columns were."""

    def _align(self, X: Any, reset: bool) -> None:
        if reset:
            self._columns = alignment.columns_of(X)
        else:
            alignment.check_labels(("the fitted X", "X"), (self._columns, X))


class _Alone(_Aligned):
    """What an estimator needs of a base class, without scikit-learn."""

    n_features_in_: int

    def __repr__(self) -> str:
        """Return the parameters that are not as they are by default, as scikit-learn does."""
        changed = [
            f"{name}={value!r}"
            for name, parameter in signature(type(self)).parameters.items()
            if (value := getattr(self, name)) != parameter.default
        ]
        return f"{type(self).__name__}({', '.join(changed)})"

    def _validated(self, X: Any, reset: bool) -> Any:
        name = type(self).__name__
        matrix = X if sparse.is_sparse(X) else pairwise.as_rows("X", X)
        if reset:
            self.n_features_in_ = matrix.shape[1]
        self._require_fitted()
        if matrix.shape[1] != self.n_features_in_:
            raise ValueError(
                f"X has {matrix.shape[1]} features, but {name} is expecting "
                f"{self.n_features_in_} features as input"
            )
        self._align(X, reset)
        return matrix

    def _require_fitted(self) -> None:
        if not hasattr(self, "n_features_in_"):
            raise AttributeError(f"this {type(self).__name__} has no rows yet: call `fit` first")

    def _input_names(self, input_features: Any) -> list[str]:
        """Return the names of the columns, x0, x1 and so on unless others are given."""
        self._require_fitted()
        number = self.n_features_in_
        names = [f"x{i}" for i in range(number)] if input_features is None else list(input_features)
        if len(names) != number:
            raise ValueError(
                "input_features should have length equal to number of "
                f"features ({number}), got {len(names)}"
            )
        return names

    def fit_transform(self: Any, X: Any, y: Any = None) -> Any:
        """Fit the rows, and return what `transform` makes of them."""
        return self.fit(X, y).transform(X)


def base_class() -> Any:
    """Return the base class of estimators of rows that are not negative."""
    try:
        from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
        from sklearn.utils.validation import (
            _check_feature_names_in,
            check_is_fitted,
            validate_data,
        )
    except ModuleNotFoundError:
        return _Alone

    class WithScikitLearn(
        _Aligned, ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator
    ):
        def _validated(self, X: Any, reset: bool) -> Any:
            if not reset:
                self._require_fitted()
            options = {"dtype": ("float64", "float32"), "accept_sparse": "csr"}
            matrix = validate_data(self, X, reset=reset, ensure_non_negative=True, **options)
            self._align(X, reset)
            return matrix

        def _require_fitted(self) -> None:
            check_is_fitted(self)

        def _input_names(self, input_features: Any) -> Any:
            self._require_fitted()
            return _check_feature_names_in(self, input_features)

        def __sklearn_tags__(self) -> Any:
            tags = super().__sklearn_tags__()
            tags.input_tags.positive_only = True
            tags.input_tags.sparse = True
            return tags

    return WithScikitLearn
