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
    """float32 of the number, of so many bytes, that is `place` numbers behind an address; `kind` is
    what is loaded."""

    def read(typing: Any, address: Any, place: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            start = builder.inttoptr(arguments[0], kind.as_pointer())
            number = builder.load(builder.gep(start, [arguments[1]]), align=size)
            return number if size == 4 else _widened(builder, number)

        return types.float32(types.int64, types.intp), generate

    compiled: Callable[..., Any] = intrinsic(read)
    return compiled


def _widened(builder: Any, half: Any) -> Any:
    """float32 of a float16's bits, exact.

    Where a processor has no instruction for it (x86-64 before F16C) LLVM would call a function of
    the C compiler's, which a process need not have: the call leads nowhere.
    """
    word, single = ir.IntType(32), ir.FloatType()
    bits = builder.zext(half, word)
    sign = builder.shl(builder.and_(bits, word(1 << 15)), word(16))
    rest = builder.and_(bits, word((1 << 15) - 1))  # exponent and fraction, of 5 and 10 bits
    moved = builder.shl(rest, word(13))
    # Exponents count from -15 there and from -127 here; the largest stands for infinity and NaN.
    normal = builder.add(moved, word((127 - 15) << 23))
    endless = builder.or_(moved, word(255 << 23))
    # With an exponent of 0 the fraction counts steps of 2 ** -24, which are no such here.
    small = builder.fmul(builder.sitofp(rest, single), single(2.0**-24))
    found = builder.select(builder.icmp_unsigned("<", rest, word(31 << 10)), normal, endless)
    few = builder.icmp_unsigned("<", rest, word(1 << 10))
    found = builder.select(few, builder.bitcast(small, word), found)
    return builder.bitcast(builder.or_(found, sign), single)


half_at = _read(ir.IntType(16), 2)
single_at = _read(ir.FloatType(), 4)
