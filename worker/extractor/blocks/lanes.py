"""What a compiled loop cannot say by itself: 64 comparisons as one word, and copies of a row.

Numba turns loops over pixels into vectors, but no loop of it puts the outcomes of comparisons into
the bits of a word, and a loop that copies few pixels at once it makes slow by scattering them.
These are written in the compiler's own language, which knows no machine: on one without wide
registers they become several narrower steps, with the same outcome.

Places are elements of contiguous arrays, and must be there: nothing checks them.
"""

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

WORD = 64
"""Comparisons in a word."""
_LANE = ir.IntType(32)


def spelled_out(function: Callable[..., Any]) -> Callable[..., Any]:
    """What a call in a compiled loop becomes; the context that it is typed in is no argument."""
    called: Callable[..., Any] = intrinsic(function)
    return called


@spelled_out
def at_least(typing: Any, values: Any, first: Any, limit: Any) -> Any:
    """uint64: bit k says whether values[first + k], int8, is at least `limit`, an int8."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        vector = ir.VectorType(ir.IntType(8), WORD)
        start = pointer(context, builder, signature.args[0], arguments[0], arguments[1], vector)
        limits = builder.insert_element(
            ir.Constant(vector, ir.Undefined), arguments[2], ir.Constant(_LANE, 0)
        )
        limits = builder.shuffle_vector(
            limits,
            ir.Constant(vector, ir.Undefined),
            ir.Constant(ir.VectorType(_LANE, WORD), [0] * WORD),
        )
        outcomes = builder.icmp_signed(">=", builder.load(start, align=1), limits)
        return builder.bitcast(outcomes, ir.IntType(WORD))

    return types.uint64(values, types.intp, types.int8), generate


@spelled_out
def ones(typing: Any, word: Any) -> Any:
    """How many bits of a uint64 are set, int64."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return types.int64(types.uint64), generate


def _copying(count: int) -> Callable[..., Any]:
    """`count` float32 at source[first] to target[place]; the two may be one array."""

    @spelled_out
    def copy(typing: Any, source: Any, first: Any, target: Any, place: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            vector = ir.VectorType(ir.FloatType(), count)
            kinds = signature.args
            start = pointer(context, builder, kinds[0], arguments[0], arguments[1], vector)
            end = pointer(context, builder, kinds[2], arguments[2], arguments[3], vector)
            builder.store(builder.load(start, align=4), end, align=4)
            return context.get_dummy_value()

        return types.void(source, types.intp, target, types.intp), generate

    return copy


copy_4 = _copying(4)
copy_32 = _copying(32)


def pointer(context: Any, builder: Any, kind: Any, array: Any, place: Any, vector: Any) -> Any:
    """To an array's element at `place`, as if vectors began there."""
    data = context.make_array(kind)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [place]), vector.as_pointer())
