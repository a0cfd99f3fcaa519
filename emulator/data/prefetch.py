"""Prefetch: ask for a cache line before it is needed, which numba itself cannot say."""

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

_FOR_WRITING, _KEEP_IN_ALL_CACHES, _DATA = 1, 3, 1


def _prefetch(typing_context: Any, array: types.Array, index: types.Integer) -> Any:

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        byte = ir.IntType(8).as_pointer()
        flag = ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [byte, flag, flag, flag])
        function = builder.module.declare_intrinsic("llvm.prefetch", [byte], kind)
        address = builder.bitcast(builder.gep(data, [arguments[1]]), byte)
        options = [flag(_FOR_WRITING), flag(_KEEP_IN_ALL_CACHES), flag(_DATA)]
        builder.call(function, [address, *options])
        return context.get_dummy_value()

    return types.void(array, index), generate


prefetch: Any = intrinsic(_prefetch)
"""``prefetch(array, index)``: ask for ``array[index]`` (one dimension) for writing."""
