"""Cuts any network that torch.fx can trace into a row of stages, wherever a single tensor goes from one to the next."""

import copy
import itertools
import operator
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from torch import fx, nn

from mllc.errors import ModelError


@dataclass(frozen=True, eq=False)
class Cut:
    """A network in stages, up to the input of its classifier.

    classifier  the dotted name of the last layer with weights, which is in no stage: an nn.Linear or nn.Conv2d
    """

    stages: nn.Sequential
    classifier: str


class _Tracer(fx.Tracer):
    """Keeps whole what behaves differently in training, for a graph remembers one path: that of the mode at hand."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return super().is_leaf_module(m, module_qualified_name) or "training" in type(m).forward.__code__.co_names


def cut(model: nn.Module) -> Cut:
    """The stages of `model` (which they share their weights with) from its one input to its classifier's input.

    Between two cut points, where exactly one computed tensor is alive, lies a stretch. One that holds a module with a
    weight of two or more dimensions (a convolution, a residual block, an attention) begins a stage, and the stretches
    behind it (norms, activations, pooling) belong to it; so does a dropout behind the last weights, which then acts
    although all weights are frozen. The stages are named by their number; inside, every module keeps its own name.

    >>> net = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2), nn.Tanh(), nn.Linear(2, 9))
    >>> [[name for name, _ in stage.named_children()] for stage in cut(net).stages], cut(net).classifier
    ([['0', '1'], ['2', '3']], '4')

    ModelError where the network cannot be traced, or has no such classifier.
    """
    was_training = model.training
    try:
        graph = fx.GraphModule(model, _Tracer().trace(model.eval())).graph
    except Exception as error:  # whatever a network does with what it takes for a tensor
        reason = str(error).partition("\n")[0]
        raise ModelError(f"{type(model).__name__} cannot be traced by torch.fx ({reason})") from None
    finally:
        model.train(was_training)
    graph.eliminate_dead_code()
    heavy = [node for node in graph.nodes if _is_heavy(model, node)]
    classifier = heavy[-1] if heavy else None
    if classifier is None or not isinstance(model.get_submodule(str(classifier.target)), nn.Linear | nn.Conv2d):
        raise ModelError(f"{type(model).__name__} does not end in a linear layer or a convolution, which mllc replaces")
    nodes = [node for node in graph.nodes if node.op != "placeholder"]
    stretches = list(_stretches(nodes, classifier))
    if sum(map(len, stretches)) < sum(node.op != "get_attr" for node in nodes[: nodes.index(classifier)]):
        raise ModelError(f"{type(model).__name__} cannot be cut: more than its classifier's input is needed at its end")
    last = max(i for i, stretch in enumerate(stretches) if any(node in heavy for node in stretch))
    stages: list[list[fx.Node]] = []
    for i, stretch in enumerate(stretches):
        begins = any(node in heavy for node in stretch) or (i > last and _drops_out(model, stretch))
        if begins or not stages:
            stages.append([])
        stages[-1] += stretch
    if len(stages) > 1 and not any(node in heavy for node in stages[0]):
        stages[1] = stages[0] + stages[1]  # what is in front of the first weights
        del stages[0]
    modules = (_module(model, stage) for stage in stages)
    return Cut(nn.Sequential(*modules), str(classifier.target))


def _is_heavy(model: nn.Module, node: fx.Node) -> bool:
    return node.op == "call_module" and any(
        weight.ndim >= 2 for weight in model.get_submodule(str(node.target)).parameters()
    )


def _drops_out(model: nn.Module, nodes: Sequence[fx.Node]) -> bool:
    return any(
        node.op == "call_module" and isinstance(model.get_submodule(str(node.target)), nn.Dropout) for node in nodes
    )


def _stretches(nodes: Sequence[fx.Node], classifier: fx.Node) -> Iterator[list[fx.Node]]:
    """The nodes in front of the classifier, parted wherever one computed value is all that is needed from there on.

    A parameter can be fetched anywhere: it goes to those who use it, and counts as no value.
    """
    order = {node: i for i, node in enumerate(nodes)}
    alive: set[fx.Node] = set()
    starts = [0]
    for i, node in enumerate(nodes[: order[classifier]]):
        alive -= {value for value in node.all_input_nodes if all(order[user] <= i for user in value.users)}
        if node.op != "get_attr":
            alive |= {node} if node.users else set()
            if alive == {node} and not any(_takes_one(user) for user in node.users):
                starts.append(i + 1)
    for start, stop in itertools.pairwise(starts):
        if any(node.op != "get_attr" for node in nodes[start:stop]):
            yield [node for node in nodes[start:stop] if node.op != "get_attr"]


def _takes_one(node: fx.Node) -> bool:
    """Whether a node takes one of several tensors, of `chunk` or an attention, which are no single one."""
    return node.target is operator.getitem and isinstance(node.args[1], int)


def _module(model: nn.Module, nodes: Sequence[fx.Node]) -> fx.GraphModule:
    """A module of one input that computes `nodes` and returns the last one."""
    graph = fx.Graph()
    known: dict[fx.Node, fx.Node] = {}

    def given(node: fx.Node) -> fx.Node:
        """What stands for a node from outside: a parameter is fetched again, all else is the input."""
        if node not in known:
            known[node] = graph.node_copy(node) if node.op == "get_attr" else graph.placeholder("inputs")
        return known[node]

    for node in nodes:
        known[node] = graph.node_copy(node, given)
    graph.output(known[nodes[-1]])
    stage = fx.GraphModule(model, graph)
    inside = set(nodes)
    for node in nodes:
        module = model.get_submodule(str(node.target)) if node.op == "call_module" else None
        if module is not None and not any(True for _ in module.parameters()):
            module = copy.deepcopy(module)  # other stages may call it as well, and one of them be frozen
            if hasattr(module, "inplace") and not inside.issuperset(node.all_input_nodes):
                module.__dict__["inplace"] = False  # what enters a stage is not its own: other trials see it, too
            stage.set_submodule(str(node.target), module)
    return stage
