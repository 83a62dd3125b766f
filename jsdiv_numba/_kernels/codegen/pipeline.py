"""How Numba compiles here: in no more passes than kernels need, to machine code once.

Numba optimises each function together with all that it calls, makes machine code of that, and does
both again in every caller. Here a function stays LLVM's intermediate code until the kernel is whole
that it is part of (`object_code`): in six to eight tenths of the time.
"""

from collections.abc import Iterator
from typing import Any

from numba import _dynfunc
from numba.core import ir
from numba.core.codegen import CPUCodeLibrary
from numba.core.compiler import CompilerBase
from numba.core.compiler_machinery import PassManager, register_pass
from numba.core.ir_utils import build_definitions
from numba.core.lowering import Lower
from numba.core.typed_passes import (
    IRLegalization,
    NativeLowering,
    NoPythonBackend,
    NopythonTypeInference,
    PreLowerStripPhis,
)
from numba.core.untyped_passes import (
    DeadBranchPrune,
    FixupArgs,
    GenericRewrites,
    ReconstructSSA,
    RewriteSemanticConstants,
    TranslateByteCode,
)


class KernelLibrary(CPUCodeLibrary):
    """Intermediate code that other code links, of which no machine code is made."""

    optimised = False

    _whole: Any = None

    def finalize(self) -> None:
        """Link what this code calls, if they are optimised together: else that is linked later."""
        if self.optimised:
            self._link_into(self._final_module)
            self._optimize_final_module()
            self._final_module.verify()
        self._finalized = True

    def _link_into(self, module: Any) -> None:
        for library in dict.fromkeys(self._called()):
            module.link_in(CPUCodeLibrary._get_module_for_linking(library), preserve=True)

    def _called(self) -> Iterator[CPUCodeLibrary]:
        """Yield what this code calls, and what that calls unless it has it already."""
        for library in self._linking_libraries:
            yield library
            if isinstance(library, KernelLibrary) and not library.optimised:
                yield from library._called()

    def _get_module_for_linking(self) -> Any:
        """Return all of it, for what Numba compiles for Python."""
        if self._whole is None:
            self._whole = CPUCodeLibrary._get_module_for_linking(self).clone()
            self._link_into(self._whole)
        return self._whole

    def add_ir_module(self, ir_module: Any) -> None:
        """Link a module, all of whose loops take vectors of 512 bits where there are any.

        LLVM takes half of that on Intel's processors, which on the older ones kept the clock's
        rate up. The loops gain by it: up to twice the speed, measured where rows come from memory,
        since what is in flight is counted in vectors. A function that is inlined has the width
        of its caller, so that all are told.
        """
        for function in ir_module.functions:
            if not function.is_declaration:
                set.add(function.attributes, '"prefer-vector-width"="512"')
        super().add_ir_module(ir_module)

    def _optimize_functions(self, ll_module: Any) -> None:
        ll_module.data_layout = self._codegen._data_layout


class _Lower(Lower):
    def lower_binop(self, resty: Any, expr: Any, op: Any) -> Any:
        """Emit an operation; Numba tries three times to have one with constants before."""
        if expr.static_lhs is not ir.UNDEFINED or expr.static_rhs is not ir.UNDEFINED:
            return super().lower_binop(resty, expr, op)
        context, builder = self.context, self.builder
        signature = self.fndesc.calltypes[expr]
        operation = context.typing_context.resolve_value_type(op)
        operands = [
            context.cast(builder, self.loadvar(each.name), self.typeof(each.name), kind)
            for each, kind in zip((expr.lhs, expr.rhs), signature.args, strict=True)
        ]
        of_kinds = operation.get_call_type(context.typing_context, signature.args, {})
        result = context.get_function(operation, of_kinds)(builder, operands)
        return context.cast(builder, result, signature.return_type, resty)


@register_pass(mutates_CFG=True, analysis_only=False)
class _LowerToIntermediateCode(NativeLowering):
    """What `NativeLowering` does, but for the machine code."""

    _name = "lower_to_intermediate_code"

    @property
    def lowering_class(self) -> type[Lower]:
        """Return what emits the code of a function."""
        return _Lower

    def run_pass(self, state: Any) -> bool:
        flags = state.flags
        library = KernelLibrary(state.targetctx.codegen(), state.func_id.func_qualname)
        # What may be reassociated is optimised here, so that it is alike in all kernels.
        library.optimised = bool(flags.fastmath.flags)
        state.library, flags.no_compile = library, True
        super().run_pass(state)
        described = state["cr"].fndesc
        # Numba knows a function that others may call by such an object, which Python may not call.
        name, nowhere = described.qualname.rsplit(".", 1)[-1], 0
        callee = _dynfunc.make_function(
            described.lookup_module(), name, "", nowhere, state["cr"].env, (library,)
        )
        state.targetctx.insert_user_function(callee, described, [library])
        state["cr"] = state["cr"]._replace(cfunc=callee)
        return True


@register_pass(mutates_CFG=True, analysis_only=False)
class _StripPhis(PreLowerStripPhis):
    """The same, with no lifetimes of variables after it."""

    _name = "strip_phis_alone"

    def run_pass(self, state: Any) -> bool:
        state.func_ir = self._strip_phi_nodes(state.func_ir)
        state.func_ir._definitions = build_definitions(state.func_ir.blocks)
        return True


@register_pass(mutates_CFG=True, analysis_only=False)
class _CountReferences(IRLegalization):
    """Mark where variables end, in functions that count the references of arrays."""

    _name = "count_references"

    def run_pass(self, state: Any) -> bool:
        return super().run_pass(state) if state.flags.nrt else False


class _Passes(PassManager):
    """Passes of which no record is kept: that takes Numba 0.68 a tenth of the time."""

    def _runPass(self, _index: int, pss: Any, internal_state: Any) -> None:  # noqa: N802
        pss.analysis = self._analysis
        for run in (pss.run_initialization, pss.run_pass, pss.run_finalizer):
            run(internal_state)


class KernelCompiler(CompilerBase):
    """The passes of Numba 0.68's own compiler that kernels need: 11 of its 27."""

    def define_pipelines(self) -> list[PassManager]:
        """Return one list of passes."""
        passes = _Passes("kernel")
        for each in (
            TranslateByteCode,
            FixupArgs,
            RewriteSemanticConstants,
            DeadBranchPrune,
            GenericRewrites,
            ReconstructSSA,
            NopythonTypeInference,
            _StripPhis,
            _CountReferences,
            _LowerToIntermediateCode,
            NoPythonBackend,
        ):
            passes.add_pass(each, each.__name__)
        passes.finalize()
        return [passes]
