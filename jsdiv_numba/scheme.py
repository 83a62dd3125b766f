"""Several losses of the same arguments, added up.

A scheme is called with what its losses look at: arrays, or one object that holds them by
name. Each loss is given the arguments that its ``apply`` picks.
"""

import inspect
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, TypeAlias, cast

import numpy as np

from ._losses.pytree import (
    LossArgument,
    Path,
    Tree,
    UnpackingLossArgument,
    accumulate_at,
    added,
    as_tree,
    gradients,
    paths_to,
    pick,
)
from .loss import Loss

__all__ = [
    "LossApply",
    "LossArgument",
    "LossReturn",
    "LossScheme",
    "Terms",
    "UnpackingLossArgument",
]


class LossReturn(NamedTuple):
    """What one term of a scheme contributes.

    Parameters
    ----------
    value : scalar
        The value of the loss, its multiplier included.
    nu : float
        The multiplier.

    Examples
    --------
    >>> from jsdiv_numba.scheme import LossReturn
    >>> LossReturn(0.25, nu=2.0)
    LossReturn(value=0.25, nu=2.0)
    """

    value: Any
    nu: float


class Terms(dict[str, LossReturn]):
    """The terms of a scheme by name: a dictionary that can be shown as a table.

    Parameters
    ----------
    *args, **params
        As of a dictionary, of names and `LossReturn`.

    Examples
    --------
    >>> from jsdiv_numba.scheme import LossReturn, Terms
    >>> terms = Terms(Fit=LossReturn(0.25, 1.0), Spread=LossReturn(0.0, 0.0))
    >>> print(terms.table())
    term    ν  value
    Fit     1   0.25
    Spread  0      0
    total       0.25
    """

    def table(self) -> str:
        """Return a line for each term, its name, multiplier and value, and one for their sum.

        Numbers have six digits; the multiplier is in the value.
        """
        total = sum(term.value for term in self.values())
        cells = [(name, f"{nu:.6g}", f"{value:.6g}") for name, (value, nu) in self.items()]
        cells = [("term", "ν", "value"), *cells, ("total", "", f"{total:.6g}")]
        name, nu, value = (max(map(len, column)) for column in zip(*cells, strict=True))
        return "\n".join(f"{a:{name}}  {b:>{nu}}  {c:>{value}}" for a, b, c in cells)


Apply: TypeAlias = str | int | Sequence[str | int] | Callable[..., Any] | None
Term: TypeAlias = "Loss | LossApply | LossScheme"


class _Arguments(NamedTuple):
    """What a loss is called with."""

    args: tuple[Any, ...]
    params: dict[str, Any]


class _Applying:
    """What a loss with a selector and a scheme share: how they pick their arguments."""

    apply: Apply
    vjp: Callable[..., Any] | None

    def _set_apply(self, apply: Apply, vjp: Callable[..., Any] | None) -> None:
        names = isinstance(apply, str | int) or (
            isinstance(apply, Sequence) and all(isinstance(name, str | int) for name in apply)
        )
        if not (apply is None or names or callable(apply)):
            raise TypeError(
                f"apply is {apply!r}; it must be a name, a position, a sequence of them, or a "
                "callable from the arguments to those of the loss"
            )
        if vjp is not None and not (callable(vjp) and callable(apply)):
            raise TypeError(f"vjp is {vjp!r}; it must be the derivative of an apply that is called")
        self.apply, self.vjp = apply, vjp

    def _names(self) -> tuple[str | int, ...]:
        if isinstance(self.apply, str | int):
            return (self.apply,)
        return tuple(cast("Sequence[str | int]", self.apply))

    def _picked(self, given: _Arguments) -> _Arguments:
        if self.apply is None:
            return given
        if not callable(self.apply):
            return _Arguments(tuple(pick(given.args, n) for n in self._names()), given.params)
        applied = self.apply(*given.args, **given.params)
        if isinstance(applied, UnpackingLossArgument):
            return _Arguments((), dict(applied))
        return _Arguments(applied if type(applied) is tuple else (applied,), {})

    def _vjp(self, given: _Arguments, picked: _Arguments, trees: list[Tree]) -> list[Tree]:
        """Take the gradients of what was picked back to what it was picked from."""
        if self.apply is None:
            return trees
        values = picked.args[: len(trees)]
        if self.vjp is not None:
            result = self.vjp(gradients(trees, values), *given.args, **given.params)
            return [as_tree(part) for part in (result if len(given.args) > 1 else (result,))]
        if callable(self.apply):
            # What has no derivative, such as a setting, need not be an entry.
            used = [
                (value, tree) for value, tree in zip(values, trees, strict=True) if tree is not None
            ]
            paths = [self._path(value, given.args) for value, _ in used]
            trees = [tree for _, tree in used]
        else:
            paths = [(n,) if isinstance(n, int) else (0, n) for n in self._names()]
        back: list[Tree] = [None] * len(given.args)
        for path, tree in zip(paths, trees, strict=False):
            accumulate_at(tree, path, back)
        return back

    def _path(self, value: Any, args: tuple[Any, ...]) -> Path:
        paths = list(paths_to(value, args))
        if len(paths) == 1:
            return paths[0]
        found = (
            "stands in several places of the arguments"
            if paths
            else "is not one of the arguments, nor an entry of one"
        )
        raise TypeError(
            f"the derivative of apply in {self!r} is not known, because what it returned {found}; "
            "pick by name, as in apply=('P', 'Q'), or give its derivative as vjp="
        )

    def _shown_apply(self) -> str:
        if self.apply is None:
            return ""
        if callable(self.apply):
            return f" ← {getattr(self.apply, '__name__', repr(self.apply))}"
        return f" ← {', '.join(map(str, self._names()))}"


class LossApply(_Applying):
    """A loss that picks its arguments out of those of a scheme.

    Parameters
    ----------
    loss : Loss or LossScheme
        What is called with the arguments that are picked.
    apply : str, int, sequence of them, callable, or None
        Which arguments. A name is an entry or an attribute of the call's one argument, a
        number the position of an argument of the call, and a sequence gives a loss of
        several inputs all of them. A callable is called with the arguments and returns those of
        the loss: one, a tuple of several, or an `UnpackingLossArgument` of keywords. None
        passes everything on.
    vjp : callable, optional
        The derivative of a callable ``apply`` that does not only pick, for `value_and_grad`.
        Called as ``vjp(cotangent, *args)`` with the derivative of the loss in what ``apply``
        returned (a tuple of derivatives if it returned several), it returns the derivative in
        the argument: an array, or a mapping of names to arrays; a tuple if there are several.

    Attributes
    ----------
    loss, apply, vjp
        As given.
    name, nu
        Those of the loss; a scheme has no ``nu``.

    Raises
    ------
    TypeError
        If the loss or an argument is of the wrong kind.

    Examples
    --------
    >>> from jsdiv_numba import JSDivergenceLoss
    >>> from jsdiv_numba.scheme import LossApply
    >>> agreement = LossApply(JSDivergenceLoss(name="Agreement"), ("left", "right"))
    >>> agreement
    [ν = 1.0]Agreement ← left, right
    >>> arg = {"left": [1.0, 0.0], "right": [0.5, 0.5], "names": ["x", "y"]}
    >>> print(f"{agreement(arg):.6f}")
    0.215762

    The derivatives have the names of the arguments:

    >>> value, grad = agreement.value_and_grad(arg)
    >>> grad.right.round(6)
    array([-0.202733,  0.346574])
    """

    def __init__(
        self,
        loss: "Loss | LossScheme",
        apply: Apply = None,
        vjp: Callable[..., Any] | None = None,
    ) -> None:
        if not isinstance(loss, Loss | LossScheme):
            raise TypeError(f"loss is {loss!r}; it must be a Loss or a LossScheme")
        self.loss = loss
        self._set_apply(apply, vjp)

    @property
    def name(self) -> str:
        """Name of the loss."""
        return self.loss.name

    @property
    def nu(self) -> float | None:
        """Multiplier of the loss, None for a scheme."""
        return self.loss.nu if isinstance(self.loss, Loss) else None

    def __call__(self, *args: Any, key: object = None, **params: Any) -> Any:
        """Evaluate the loss on the arguments that are picked; return what it returns.

        Keywords go to a callable ``apply``, otherwise to the loss; `key`, if it is not None, to the
        loss.
        """
        picked = self._picked(_Arguments(args, params))
        return self.loss(*picked.args, key=key, **picked.params)

    def value_and_grad(self, *args: Any, key: object = None, **params: Any) -> tuple[Any, Any]:
        """Evaluate the loss, and differentiate it with respect to the arguments.

        The value is what a call returns; the derivatives and errors are as of
        `LossScheme.value_and_grad`.
        """
        value, terms, trees = _run(self, _Arguments(args, params), key, grad=True, skip=False)
        if isinstance(self.loss, LossScheme):
            value = value, terms
        return value, gradients(trees, args)

    def __repr__(self) -> str:
        return f"{self.loss!r}{self._shown_apply()}"


class LossScheme(_Applying):
    """Losses of the same arguments, added up.

    Parameters
    ----------
    loss : sequence of Loss, LossApply and LossScheme
        The terms. Their names, those inside nested schemes included, must differ.
    apply : str, int, sequence of them, callable, or None
        What all terms are given, of the arguments of the call; as in `LossApply`.
    vjp : callable, optional
        The derivative of a callable ``apply``; as in `LossApply`.

    Attributes
    ----------
    loss : tuple
        The terms.
    apply, vjp
        As given.

    Raises
    ------
    TypeError
        If a term or an argument is of the wrong kind.
    ValueError
        If two losses have the same name.

    Notes
    -----
    A loss whose ``nu`` is 0 is not evaluated. Iteration, ``len`` and ``+`` are those of the
    sequence of terms; ``scheme["name"]`` is the loss of that name, however deep.

    Examples
    --------
    >>> from jsdiv_numba import JSDivergenceLogitLoss, JSDivergenceLoss
    >>> from jsdiv_numba.scheme import LossApply, LossScheme
    >>> scheme = LossScheme([
    ...     LossApply(JSDivergenceLoss(0.5, "Topics"), ("topics", "prior")),
    ...     LossApply(JSDivergenceLogitLoss(2.0, "Words"), ("words", "counts")),
    ... ])
    >>> scheme
    LossScheme([
        [ν = 0.5]Topics ← topics, prior,
        [ν = 2.0]Words ← words, counts,
    ])
    >>> arg = {"topics": [0.2, 0.8], "prior": [0.5, 0.5], "words": [1.0, 0.0], "counts": [0.0, 0.0]}
    >>> total, terms = scheme(arg)
    >>> print(terms.table())
    term      ν      value
    Topics  0.5  0.0253359
    Words     2  0.0570705
    total        0.0824064
    """

    name = "LossScheme"

    def __init__(
        self,
        loss: Sequence[Term] = (),
        apply: Apply = None,
        vjp: Callable[..., Any] | None = None,
    ) -> None:
        try:
            terms = iter(loss)
        except TypeError:
            raise TypeError(f"loss is {loss!r}; it must be a sequence of losses") from None
        self.loss = tuple(terms)
        for i, term in enumerate(self.loss):
            if not isinstance(term, Loss | LossApply | LossScheme):
                raise TypeError(
                    f"loss[{i}] is {term!r}; it must be a Loss, a LossApply or a LossScheme"
                )
        self._set_apply(apply, vjp)
        self._check_names()

    def __call__(self, *args: Any, key: object = None, **params: Any) -> tuple[Any, Terms]:
        """Evaluate the losses and add them up.

        Parameters
        ----------
        *args, **params
            What the terms pick from. Keywords go to a callable ``apply``, otherwise to the
            terms.
        key : object, optional
            Passed to the losses.

        Returns
        -------
        total : scalar
            The sum of the terms.
        terms : Terms
            The value and the ``nu`` of each loss by name, those of nested schemes included.

        Raises
        ------
        TypeError
            If an argument that is picked is not there.
        ValueError
            If a loss is not a scalar, or two of them have the same name by now.
        """
        total, terms, _ = _run(self, _Arguments(args, params), key, grad=False)
        return total, terms

    def value_and_grad(
        self, *args: Any, key: object = None, **params: Any
    ) -> tuple[tuple[Any, Terms], Any]:
        """Evaluate the losses, and differentiate their sum with respect to the arguments.

        Parameters
        ----------
        *args, key, **params
            As in a call.

        Returns
        -------
        value : tuple of a scalar and Terms
            What a call returns.
        grad : ndarray, LossArgument, or tuple of them
            For each argument, the derivative of the total: of an array, an array of its shape;
            of an object, a LossArgument that holds the derivatives of its floating-point
            arrays by name. Arrays that no term uses have zeros. One argument has one, several
            have a tuple.

        Raises
        ------
        TypeError
            If a derivative is not known: of a score, of a scalarisation, or of a callable
            ``apply`` that does more than pick and has no ``vjp``.
        ValueError
            As a call does.

        Examples
        --------
        >>> import numpy as np
        >>> from jsdiv_numba import JSDivergenceLoss
        >>> from jsdiv_numba.scheme import LossApply, LossScheme
        >>> near, far = JSDivergenceLoss(1.0, "Near"), JSDivergenceLoss(-0.1, "Far")
        >>> scheme = LossScheme([LossApply(near, (0, 1)), LossApply(far, (0, 2))])
        >>> x, y, z = np.array([[0.5, 0.5], [0.25, 0.75], [0.9, 0.1]])
        >>> (total, terms), (grad_x, grad_y, grad_z) = scheme.value_and_grad(x, y, z)
        >>> grad_x.round(6)
        array([ 0.160665, -0.137113])
        """
        total, terms, trees = _run(self, _Arguments(args, params), key, grad=True)
        return (total, terms), gradients(trees, args)

    def __add__(self, other: Term) -> "LossScheme":
        if not isinstance(other, Loss | LossApply | LossScheme):
            return NotImplemented
        parts = [
            part.loss if isinstance(part, LossScheme) and part.apply is None else (part,)
            for part in (self, other)
        ]
        return LossScheme([term for part in parts for term in part])

    def __iter__(self) -> Iterator[Term]:
        return iter(self.loss)

    def __len__(self) -> int:
        return len(self.loss)

    def __getitem__(self, name: str) -> Loss:
        for loss in _losses(self):
            if loss.name == name:
                return loss
        raise KeyError(name)

    def __repr__(self) -> str:
        lines = "".join(f"{term!r},\n" for term in self.loss)
        indented = "".join(f"    {line}\n" for line in lines.splitlines())
        return f"LossScheme([\n{indented}]){self._shown_apply()}"

    def _check_names(self) -> None:
        for name, number in Counter(loss.name for loss in _losses(self)).items():
            if number > 1:
                raise ValueError(
                    f"{number} losses of the scheme are named {name!r}; give each a name of its "
                    "own, such as JSDivergenceLoss(name=...)"
                )


def _losses(term: Term) -> Iterator[Loss]:
    if isinstance(term, Loss):
        yield term
    elif isinstance(term, LossApply):
        yield from _losses(term.loss)
    else:
        for part in term:
            yield from _losses(part)


def _run(
    term: Term, given: _Arguments, key: object, *, grad: bool, skip: bool = True
) -> tuple[Any, Terms, list[Tree]]:
    """Evaluate a term: its value, the losses in it, and with `grad` its gradients."""
    losses = list(_losses(term))
    if skip and all(loss.nu == 0 for loss in losses):
        return 0.0, Terms({loss.name: LossReturn(0.0, loss.nu) for loss in losses}), []
    if isinstance(term, Loss):
        return _run_loss(term, given, key, grad=grad)
    picked = term._picked(given)
    by_name = grad and callable(term.apply) and bool(picked.params)
    if isinstance(term, LossScheme):
        value, terms, trees = _run_scheme(term, picked, key, grad=grad, by_name=by_name)
        picked = _Arguments(tuple(picked.params.values()), {}) if by_name else picked
    else:
        picked = _by_position(term.loss, picked)[0] if by_name else picked
        value, terms, trees = _run(term.loss, picked, key, grad=grad, skip=skip)
    return value, terms, term._vjp(given, picked, trees) if trees else []


def _run_loss(
    loss: Loss, given: _Arguments, key: object, *, grad: bool
) -> tuple[Any, Terms, list[Tree]]:
    trees: list[Tree] = []
    if grad:
        value, found = loss.value_and_grad(*given.args, key=key, **given.params)
        trees = list(found if isinstance(found, tuple) else (found,))[: len(given.args)]
    else:
        value = loss(*given.args, key=key, **given.params)
    return value, Terms({loss.name: LossReturn(value, loss.nu)}), trees


def _run_scheme(
    scheme: LossScheme, given: _Arguments, key: object, *, grad: bool, by_name: bool = False
) -> tuple[Any, Terms, list[Tree]]:
    """Evaluate the terms and add them up; gradients are of positions or, `by_name`, of keywords."""
    scheme._check_names()
    total: Any = 0.0
    terms = Terms()
    names = list(given.params)
    trees: list[Tree] = [None] * len(names if by_name else given.args)
    for term in scheme:
        own, of = _by_position(term, given) if by_name else (given, [])
        value, parts, found = _run(term, own, key, grad=grad)
        if np.ndim(value):
            raise ValueError(
                f"{term!r} is an array of shape {np.shape(value)}; a scheme adds up scalars, so "
                "the scalarisation must reduce every axis"
            )
        total = total + value
        terms.update(parts)
        for i, tree in enumerate(found):
            place = names.index(of[i]) if by_name else i
            trees[place] = added(trees[place], tree)
    return total, terms, trees if grad else []


def _by_position(term: Term, picked: _Arguments) -> tuple[_Arguments, list[str]]:
    """Turn keywords into positions, because a loss has its derivatives in that order.

    Return the names, too, that the positions have.
    """
    taking = term
    while isinstance(taking, LossApply) and taking.apply is None:
        taking = taking.loss
    function: Any = taking.score if isinstance(taking, Loss) else taking.apply
    if not callable(function):
        raise TypeError(
            f"{term!r} is given keywords, of which it does not say which it takes; have the apply "
            "before it return a tuple or a LossArgument"
        )
    bound = inspect.signature(function).bind(**picked.params)
    return _Arguments(bound.args, bound.kwargs), list(bound.arguments)
