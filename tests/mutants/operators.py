"""Small semantic changes of a module, one at a time: what a slip of the pen would be.

A change is a number a little off, another comparison, sum for difference, a call or statement left
out, a flag turned. Texts, annotations and what only says something (messages, progress) are left
alone.
"""

import ast
import copy
from collections.abc import Iterator
from typing import NamedTuple

COMPARISONS = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq, ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
}  # fmt: skip
NEGATIONS = {ast.Lt: ast.GtE, ast.LtE: ast.Gt, ast.Gt: ast.LtE, ast.GtE: ast.Lt}
ARITHMETIC = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.Pow: ast.Mult,
    ast.FloorDiv: ast.Mult, ast.Mod: ast.Mult, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd,
}  # fmt: skip
LEFT_OUT = {
    "sqrt", "exp", "log", "log10", "abs", "clamp", "conj", "real", "square", "maximum", "minimum",
    "cumsum", "flip", "sort", "sigmoid", "tanh", "expand", "detach", "roll", "rint", "floor",
    "sorted", "wrap", "_wrapped", "round",
}  # fmt: skip
EXCHANGED = {
    "mean": "sum", "sum": "mean", "min": "max", "max": "min", "sin": "cos", "cos": "sin",
    "any": "all", "all": "any", "argmin": "argmax", "argmax": "argmin", "zeros_like": "ones_like",
    "ones_like": "zeros_like", "zeros": "ones", "median": "mean", "nanmedian": "nanmean",
}  # fmt: skip
SILENT = {
    "print", "say", "advance", "Progress", "track", "warn", "DataError", "EmulatorError",
    "ValueError", "ConfigError", "TypeError", "setLevel", "filterwarnings", "echo", "join",
    "assign_attrs", "getLogger", "log", "log_dict", "update_attrs", "cast", "TypeVar", "Field",
}  # fmt: skip


class Mutant(NamedTuple):
    """A change: where it is, what it says, and the whole changed source."""

    line: int
    change: str
    source: str


def mutants_of(source: str) -> list[Mutant]:
    """All mutants of a module, in order."""
    tree = ast.parse(source)
    found = []
    for place, node in enumerate(_places(tree)):
        for number in range(_count(node)):
            changed = copy.deepcopy(tree)
            target = list(_places(changed))[place]
            before = ast.unparse(node)
            _apply(changed, target, number)
            ast.fix_missing_locations(changed)
            text = ast.unparse(changed)
            after = _after(changed, target)
            found.append(Mutant(node.lineno, f"{_short(before)}  ->  {after}", text))
    return [m for m in found if m.source != ast.unparse(tree)]


def _short(text: str) -> str:
    return text if len(text) < 70 else text[:67] + "..."


def _after(tree: ast.AST, target: ast.AST) -> str:
    gone = getattr(target, "_gone", None)
    if gone == "removed":
        return "(left out)"
    return _short(ast.unparse(gone if isinstance(gone, ast.AST) else target))


def _places(tree: ast.AST) -> Iterator[ast.AST]:
    """Nodes that can be changed, outside of what only says something."""

    def walk(node: ast.AST, *, inside: bool) -> Iterator[ast.AST]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Raise | ast.Assert | ast.JoinedStr | ast.arg | ast.Import):
                continue
            if isinstance(child, ast.Call) and _name(child) in SILENT:
                continue
            if isinstance(child, ast.If) and _is_type_checking(child):
                continue
            here = inside or isinstance(child, ast.FunctionDef)
            if here and _count(child):
                yield child
            if isinstance(child, ast.FunctionDef):
                for part in [*child.args.defaults, *child.args.kw_defaults, *child.body]:
                    if part is not None:
                        if _count(part):
                            yield part
                        yield from walk(part, inside=True)
            elif isinstance(child, ast.AnnAssign):
                if child.value is not None:
                    if _count(child.value):
                        yield child.value
                    yield from walk(child.value, inside=here)
            else:
                yield from walk(child, inside=here or isinstance(node, ast.Module))

    yield from walk(tree, inside=False)


def _is_type_checking(node: ast.If) -> bool:
    return isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def _name(call: ast.Call) -> str:
    if isinstance(call.func, ast.Attribute):
        return call.func.attr
    return call.func.id if isinstance(call.func, ast.Name) else ""


def _count(node: ast.AST) -> int:
    """How many ways there are to change a node."""
    match node:
        case ast.Constant(value=bool()):
            return 1
        case ast.Constant(value=int() | float()):
            return 1
        case ast.Compare(ops=[op]):
            return 2 if type(op) in NEGATIONS else 1
        case ast.BinOp(op=op):
            return 1 if type(op) in ARITHMETIC else 0
        case ast.UnaryOp(op=ast.Not() | ast.USub()):
            return 0 if isinstance(node.operand, ast.Constant) else 1
        case ast.BoolOp():
            return 1
        case ast.Call():
            return 1 if _name(node) in LEFT_OUT | EXCHANGED.keys() else 0
        case ast.Expr(value=ast.Call() as call):
            return 0 if _name(call) in SILENT else 1
        case ast.AugAssign():
            return 1
        case ast.IfExp():
            return 1
    return 0


def _apply(tree: ast.AST, node: ast.AST, number: int) -> None:
    match node:
        case ast.Constant(value=bool()):
            node.value = not node.value
        case ast.Constant(value=int()):
            node.value = node.value + 1
        case ast.Constant(value=float()):
            node.value = node.value * 1.05 if node.value else 0.05
        case ast.Compare(ops=[op]):
            table = NEGATIONS if number else COMPARISONS
            node.ops = [table[type(op)]()]
        case ast.BinOp(op=op):
            node.op = ARITHMETIC[type(op)]()
        case ast.UnaryOp():
            _replace(tree, node, node.operand)
        case ast.BoolOp(op=op):
            node.op = ast.Or() if isinstance(op, ast.And) else ast.And()
        case ast.Call():
            name = _name(node)
            if name in EXCHANGED:
                _rename(node, EXCHANGED[name])
            else:
                _replace(tree, node, _operand(node))
        case ast.Expr() | ast.AugAssign():
            _replace(tree, node, ast.Pass())
            node._gone = "removed"
        case ast.IfExp():
            node.body, node.orelse = node.orelse, node.body


def _rename(call: ast.Call, name: str) -> None:
    if isinstance(call.func, ast.Attribute):
        call.func.attr = name
    else:
        call.func.id = name


def _operand(call: ast.Call) -> ast.expr:
    """What a call acts on: the object of a method, the first argument of a function."""
    modules = {"np", "torch", "math", "functional", "fft", "scipy"}
    if isinstance(call.func, ast.Attribute):
        owner = call.func.value
        is_module = isinstance(owner, ast.Name) and owner.id in modules
        if not is_module:
            return owner
    return call.args[0] if call.args else ast.Constant(value=None)


def _replace(tree: ast.AST, old: ast.AST, new: ast.AST) -> None:
    for parent in ast.walk(tree):
        for name, value in ast.iter_fields(parent):
            if value is old:
                setattr(parent, name, new)
            elif isinstance(value, list) and any(item is old for item in value):
                setattr(parent, name, [new if item is old else item for item in value])
    old._gone = new
