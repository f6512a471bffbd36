"""Traces CPU work into one graph of operations and compiles it: the counterpart of a CUDA graph on a GPU."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, fx, nn
from torch._ops import OpOverload
from torch.fx.experimental.proxy_tensor import make_fx
from torch.fx.passes.split_module import split_module
from torch.utils._pytree import tree_leaves

from ganzoo.core.random_streams import own_randomness
from ganzoo.training.runners.operation_recorder import UndoableRecorder, storage_address

if TYPE_CHECKING:
    from ganzoo.training.runners.cuda_graphs import Work
    from ganzoo.training.state import Training

CompileFunction = Callable[[fx.GraphModule, Sequence[Tensor]], Callable[..., Any]]
"""Takes a graph of operations and example inputs; returns a function that computes the same."""


class TracedGraphCapture:
    """Traces work by running it once, undoes the effects, and compiles the traced operations.

    The trace contains no Python and no autograd: gradients, and gradients of gradients, are operations like others.
    Optimizer steps are not compiled, as torch's fused kernels are faster than the compiled formulas. The parts between
    them are compiled; a part that occurs in several graphs is compiled once.
    """

    def __init__(self, training: Training, compile_function: CompileFunction) -> None:
        self.training = training
        self.compile_function = compile_function
        self.compiled_parts: dict[Any, Callable[..., Any]] = {}

    def run(self, work: Work) -> None:
        """Runs the work."""
        work()

    def capture(self, work: Work) -> Work:
        """Traces and compiles the work. Raises: RuntimeError if it cannot be traced or compiled."""
        parameters = [each for player in self.training.players.values() for each in player.parameters]
        recorder, gradients = UndoableRecorder(), [parameter.grad for parameter in parameters]
        try:
            with own_randomness(self.training.device):
                graph = self.trace(work, parameters, recorder)
                inputs = lift_constants(graph)
                replace_inplace_results(graph)
                deduplicate_casts(graph)
                whole = split_at_optimizer_steps(graph)
                with torch.no_grad():
                    _PartCompiler(whole, self.compile_part).run(*inputs)
        finally:
            recorder.undo()
            set_gradients(gradients, parameters)

        def replay() -> None:
            with torch.no_grad():
                set_gradients(whole(*inputs), parameters)

        return replay

    def trace(self, work: Work, parameters: Sequence[nn.Parameter], recorder: UndoableRecorder) -> fx.GraphModule:
        """The operations of the work, as a graph that returns the resulting gradients."""

        def traced() -> list[Tensor | None]:
            work()
            return [parameter.grad for parameter in parameters]

        persistent: list[dict[Any, Any]] = [
            self.training.means.sums,
            *(player.optimizer.state for player in self.training.players.values()),
        ]
        before = [dict(state) for state in persistent]
        with recorder:
            graph = make_fx(traced)()
        for operation, why in recorder.obstacles.items():
            raise RuntimeError(f"{operation}: {why}")
        for state, saved in zip(persistent, before, strict=True):
            if state.keys() != saved.keys():
                state.clear()
                state.update(saved)
                raise RuntimeError("a round creates state that an earlier round of the same phase did not")
        return graph

    def compile_part(self, part: fx.GraphModule, inputs: Sequence[Tensor]) -> Callable[..., Any]:
        """A compiled function for a part of the graph and inputs of this layout."""
        addresses = [storage_address(tensor) for tensor in inputs]
        layouts = [(tensor.dtype, tensor.shape, tensor.stride(), tensor.storage_offset()) for tensor in inputs]
        key = (canonical_text(part), tuple(layouts), tuple(addresses.index(address) for address in addresses))
        if key not in self.compiled_parts:
            self.compiled_parts[key] = self.compile_function(part, inputs)
        return self.compiled_parts[key]


def canonical_text(part: fx.GraphModule) -> str:
    """The operations of a graph as text that does not depend on the names of nodes."""
    numbers = {node: f"%{number}" for number, node in enumerate(part.graph.nodes)}
    return "; ".join(
        f"{node.op} {node.target if node.op == 'call_function' else ''}"
        f"{fx.node.map_arg((node.args, node.kwargs), numbers.__getitem__)}"
        for node in numbers
    )


def set_gradients(gradients: Iterable[Tensor | None], parameters: Iterable[nn.Parameter]) -> None:
    """Sets the gradients of parameters."""
    for parameter, gradient in zip(parameters, gradients, strict=True):
        parameter.grad = gradient


def compile_with_inductor(part: fx.GraphModule, inputs: Sequence[Tensor]) -> Callable[..., Any]:
    """Compiles with torch.inductor, keeping eager random numbers. Raises: RuntimeError if that fails."""
    # it looks for CUDA even when compiling for a CPU, and warns about a toolkit without a GPU
    logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)
    import torch._inductor  # importing it takes a second

    from ganzoo.training.runners.compiled import first_line

    try:
        compiled: Callable[..., Any] = torch._inductor.compile(part, list(inputs), options={"fallback_random": True})
    except Exception as error:
        raise RuntimeError(f"torch's compiler failed: {first_line(error)}") from error
    return compiled


def lift_constants(graph: fx.GraphModule) -> list[Tensor]:
    """Turns a graph's constants, the tensors that it works on, into inputs, and returns these tensors."""
    inputs: dict[Any, tuple[fx.Node, Tensor]] = {}
    first = next(iter(graph.graph.nodes))
    constants = graph.graph.find_nodes(op="get_attr")
    for node in constants:
        tensor = getattr(graph, node.target)
        key = (storage_address(tensor), tensor.storage_offset(), tensor.shape, tensor.stride(), tensor.dtype)
        if key not in inputs:
            with graph.graph.inserting_before(first):
                inputs[key] = (graph.graph.placeholder(f"held_{len(inputs)}"), tensor.detach())
        node.replace_all_uses_with(inputs[key][0])
    for node in constants:
        graph.graph.erase_node(node)
    graph.graph.set_codegen(fx.graph.CodeGen())
    graph.recompile()
    return [tensor for _, tensor in inputs.values()]


def replace_inplace_results(graph: fx.GraphModule) -> None:
    """Replaces results of in-place operations by the tensors written to, so that more parts are equal."""
    for node in graph.graph.nodes:
        writes = written_arguments(node)
        if len(writes) == 1 and len(node.target._schema.returns) == 1:  # the return value is the tensor written to
            node.replace_all_uses_with(writes[0])


def deduplicate_casts(graph: fx.GraphModule) -> None:
    """Reuses one cast of a weight until an operation writes to the weight.

    autocast casts a generator's weights for the discriminator's move and again for the generator's own.
    """
    aten, casts = torch.ops.aten, dict[tuple[fx.Node, str], fx.Node]()
    same = {node: node for node in graph.graph.find_nodes(op="placeholder")}  # aliases of a weight
    views = dict(same)  # nodes that share a weight's memory
    for node in list(graph.graph.nodes):
        if not isinstance(node.target, OpOverload):
            continue
        updated = {views.get(state) for state in written_arguments(node)}
        casts = {key: cast for key, cast in casts.items() if key[0] not in updated and cast not in updated}
        source = node.args[0] if node.args and isinstance(node.args[0], fx.Node) else None
        if source in views and any(returned.alias_info for returned in node.target._schema.returns):
            views[node] = views[source]
        if source in same and node.target in (aten.alias.default, aten.detach.default):
            same[node] = same[source]
        if source in same and node.target is aten._to_copy.default:
            cast = casts.setdefault((same[source], str(node.kwargs)), node)
            views[node] = cast
            if cast is not node:
                node.replace_all_uses_with(cast)
                graph.graph.erase_node(node)


def written_arguments(node: fx.Node) -> list[fx.Node]:
    """The nodes that an operation writes to."""
    arguments = node.target._schema.arguments if isinstance(node.target, OpOverload) else ()
    inputs = dict(zip((argument.name for argument in arguments), node.args, strict=False)) | node.kwargs
    values = tree_leaves([inputs.get(argument.name) for argument in arguments if argument.is_write])
    return [value for value in values if isinstance(value, fx.Node)]


def split_at_optimizer_steps(graph: fx.GraphModule) -> fx.GraphModule:
    """Splits a graph into submodules: optimizer steps as submod_1, submod_3, ..., the rest as submod_0, ..."""
    profiler = torch.ops.profiler
    part, step, parts, marks = 0, None, {}, []
    for node in graph.graph.nodes:
        if node.target is profiler._record_function_enter_new.default:
            marks.append(node)
            if step is None and node.args[0].startswith("Optimizer.step#"):
                part, step = part + 1, node
        elif node.target is profiler._record_function_exit._RecordFunction:
            marks.append(node)
            if node.args[0] is step:
                part, step = part + 1, None
        else:
            parts[node] = part
    for node in reversed(marks):
        graph.graph.erase_node(node)
    return split_module(graph, graph, parts.__getitem__, keep_original_order=True)


class _PartCompiler(fx.Interpreter):
    """Runs a split graph, and replaces each part between optimizer steps by its compiled version."""

    def __init__(self, whole: fx.GraphModule, compile_part: CompileFunction) -> None:
        super().__init__(whole)
        self.whole = whole
        self.compile_part = compile_part

    def call_module(self, target: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        part = cast(fx.GraphModule, self.whole.get_submodule(target))
        if int(target.removeprefix("submod_")) % 2 == 0:
            setattr(self.whole, target, _FunctionModule(self.compile_part(part, args)))
        return self.whole.get_submodule(target)(*args)


class _FunctionModule(nn.Module):
    """A function as a module, which a part of a graph has to be."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, *inputs: Any) -> Any:
        return self.function(*inputs)
