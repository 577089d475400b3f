"""Numbers where a model keeps them: float16 or float32 at an address, as float32.

A registry of 100,000 models keeps each mean once, in its model. Rows are read from there one by
one, in no order, some thousand a batch: to collect them as arrays of numpy takes ten times as long.
Who calls keeps the arrays alive; nothing checks an address.
"""

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic


def _read(kind: Any, size: int) -> Callable[..., Any]:
    """float32 of the number of this kind, of so many bytes, that is `place` numbers behind an
    address."""

    def read(typing: Any, address: Any, place: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            start = builder.inttoptr(arguments[0], kind.as_pointer())
            number = builder.load(builder.gep(start, [arguments[1]]), align=size)
            return number if size == 4 else builder.fpext(number, ir.FloatType())

        return types.float32(types.int64, types.intp), generate

    compiled: Callable[..., Any] = intrinsic(read)
    return compiled


half_at = _read(ir.HalfType(), 2)
single_at = _read(ir.FloatType(), 4)
