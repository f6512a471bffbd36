"""Work of a processor as one graph of operations, compiled: what a CUDA graph is on a GPU."""

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
from ganzoo.training.runners.operation_recorder import Undoing, memory_of

if TYPE_CHECKING:
    from ganzoo.training.runners.cuda_graphs import Play
    from ganzoo.training.state import Training

Compile = Callable[[fx.GraphModule, Sequence[Tensor]], Callable[..., Any]]
"""A graph of operations, and what it will be called with -> what does the same."""


class TracedCapture:
    """Takes work down by playing it once, which is undone, and compiles what is left of it without Python and autograd.

    Gradients are operations as any others by then, and so are gradients of gradients. Optimizers' steps stay as they
    come: torch has one kernel for each, quicker than what a compiler makes of its formula. What lies between them is
    compiled, and pieces that are the same in several graphs are so once.
    """

    def __init__(self, training: Training, compiles: Compile) -> None:
        self.training = training
        self.compiles = compiles
        self.pieces: dict[Any, Callable[..., Any]] = {}

    def play(self, work: Play) -> None:
        """Does the work."""
        work()

    def record(self, work: Play) -> Play:
        """Takes down the work. Raises: RuntimeError where no graph can hold it."""
        parameters = [each for player in self.training.players.values() for each in player.parameters]
        undoing, gradients = Undoing(), [parameter.grad for parameter in parameters]
        try:
            with own_randomness(self.training.device):
                graph = self.trace(work, parameters, undoing)
                inputs = lift(graph)
                name_once(graph)
                cast_once(graph)
                whole = apart(graph)
                with torch.no_grad():
                    _Compiling(whole, self.compiled).run(*inputs)
        finally:
            undoing.put_back()
            leave(gradients, parameters)

        def replay() -> None:
            with torch.no_grad():
                leave(whole(*inputs), parameters)

        return replay

    def trace(self, work: Play, parameters: Sequence[nn.Parameter], undoing: Undoing) -> fx.GraphModule:
        """The work's operations, as a graph that returns the gradients which it leaves."""

        def traced() -> list[Tensor | None]:
            work()
            return [parameter.grad for parameter in parameters]

        lasting: list[dict[Any, Any]] = [
            self.training.means.sums,
            *(player.optimizer.state for player in self.training.players.values()),
        ]
        before = [dict(each) for each in lasting]
        with undoing:
            graph = make_fx(traced)()
        for operation, why in undoing.obstacles.items():
            raise RuntimeError(f"{operation}: {why}")
        for each, kept in zip(lasting, before, strict=True):
            if each.keys() != kept.keys():
                each.clear()
                each.update(kept)
                raise RuntimeError("a round like one that was played sets up what that one did not")
        return graph

    def compiled(self, piece: fx.GraphModule, given: Sequence[Tensor]) -> Callable[..., Any]:
        """What does the same as a piece of the work, on such tensors."""
        memories = [memory_of(tensor) for tensor in given]
        layouts = [(tensor.dtype, tensor.shape, tensor.stride(), tensor.storage_offset()) for tensor in given]
        key = (spelled(piece), tuple(layouts), tuple(memories.index(memory) for memory in memories))
        if key not in self.pieces:
            self.pieces[key] = self.compiles(piece, given)
        return self.pieces[key]


def spelled(piece: fx.GraphModule) -> str:
    """All that a graph does, whatever its nodes are called."""
    numbers = {node: f"%{number}" for number, node in enumerate(piece.graph.nodes)}
    return "; ".join(
        f"{node.op} {node.target if node.op == 'call_function' else ''}"
        f"{fx.node.map_arg((node.args, node.kwargs), numbers.__getitem__)}"
        for node in numbers
    )


def leave(gradients: Iterable[Tensor | None], parameters: Iterable[nn.Parameter]) -> None:
    """Lets parameters have these gradients."""
    for parameter, gradient in zip(parameters, gradients, strict=True):
        parameter.grad = gradient


def by_inductor(piece: fx.GraphModule, given: Sequence[Tensor]) -> Callable[..., Any]:
    """torch's compiler, with the noise that torch would draw. Raises: RuntimeError where it fails."""
    # it looks for CUDA, on whatever device it is to compile, and warns of a toolkit without a GPU
    logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)
    import torch._inductor  # takes a second

    from ganzoo.training.runners.compiled import first_line

    try:
        done: Callable[..., Any] = torch._inductor.compile(piece, list(given), options={"fallback_random": True})
    except Exception as error:
        raise RuntimeError(f"torch's compiler failed: {first_line(error)}") from error
    return done


def lift(graph: fx.GraphModule) -> list[Tensor]:
    """Makes inputs of a graph's constants, which are the memory that it works on, and returns them."""
    inputs: dict[Any, tuple[fx.Node, Tensor]] = {}
    first = next(iter(graph.graph.nodes))
    constants = graph.graph.find_nodes(op="get_attr")
    for node in constants:
        tensor = getattr(graph, node.target)
        key = (memory_of(tensor), tensor.storage_offset(), tensor.shape, tensor.stride(), tensor.dtype)
        if key not in inputs:
            with graph.graph.inserting_before(first):
                inputs[key] = (graph.graph.placeholder(f"held_{len(inputs)}"), tensor.detach())
        node.replace_all_uses_with(inputs[key][0])
    for node in constants:
        graph.graph.erase_node(node)
    graph.graph.set_codegen(fx.graph.CodeGen())
    graph.recompile()
    return [tensor for _, tensor in inputs.values()]


def name_once(graph: fx.GraphModule) -> None:
    """Calls what an operation wrote to by the name it had before: no piece hands it on, so more are the same."""
    for node in graph.graph.nodes:
        writes = written(node)
        if len(writes) == 1 and len(node.target._schema.returns) == 1:  # that is what it returns
            node.replace_all_uses_with(writes[0])


def cast_once(graph: fx.GraphModule) -> None:
    """Lets one cast of a weight serve all who ask for it, until an operation writes to the weight.

    autocast cannot know who moves: it casts a generator's weights for the discriminator's move and again for its own.
    """
    aten, casts = torch.ops.aten, dict[tuple[fx.Node, str], fx.Node]()
    same = {node: node for node in graph.graph.find_nodes(op="placeholder")}  # what is a weight, under another name
    views = dict(same)  # what shares a weight's memory
    for node in list(graph.graph.nodes):
        if not isinstance(node.target, OpOverload):
            continue
        updated = {views.get(each) for each in written(node)}
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


def written(node: fx.Node) -> list[fx.Node]:
    """What an operation writes to."""
    arguments = node.target._schema.arguments if isinstance(node.target, OpOverload) else ()
    given = dict(zip((argument.name for argument in arguments), node.args, strict=False)) | node.kwargs
    values = tree_leaves([given.get(argument.name) for argument in arguments if argument.is_write])
    return [value for value in values if isinstance(value, fx.Node)]


def apart(graph: fx.GraphModule) -> fx.GraphModule:
    """Its optimizers' steps as modules submod_1, submod_3, ... and what lies between them as submod_0, submod_2, ..."""
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


class _Compiling(fx.Interpreter):
    """Plays a graph whose parts are apart, and puts what is compiled in the place of each part between steps."""

    def __init__(self, whole: fx.GraphModule, compiled: Compile) -> None:
        super().__init__(whole)
        self.whole = whole
        self.compiled = compiled

    def call_module(self, target: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        piece = cast(fx.GraphModule, self.whole.get_submodule(target))
        if int(target.removeprefix("submod_")) % 2 == 0:
            setattr(self.whole, target, _Piece(self.compiled(piece, args)))
        return self.whole.get_submodule(target)(*args)


class _Piece(nn.Module):
    """A function, as a graph's part has to be."""

    def __init__(self, does: Callable[..., Any]) -> None:
        super().__init__()
        self.does = does

    def forward(self, *given: Any) -> Any:
        return self.does(*given)
