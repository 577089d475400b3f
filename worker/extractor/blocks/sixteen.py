"""Sixteen float32 as one value of a compiled loop, and their sizes counted in one register.

Numba turns plain loops into vectors, but decides by itself how much it keeps in registers, and a
comparison and an addition for each limit was what DCT statistics cost. A loop in these values
keeps what it adds up, and counts sizes all at once: each lane has six bits for each size.

    c = magnitude(load(array, place) - load(array, other))
    total, square, sizes = total + c, square + c * c, sizes + size_of(c)

Like `lanes` this knows no machine: where registers are narrower, a value takes several. Places are
elements of contiguous arrays, and must be there: nothing checks them.
"""

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import lower_builtin, models, register_model, type_callable

from worker.extractor.blocks.lanes import pointer, spelled_out

WIDTH = 16
"""Lanes of a value."""
MOST = 63
"""Values of which sizes may be added up before they are counted."""
LIMITS = (0.505, 1.01, 2.02, 4.04, 8.08)
"""Between sizes: each is twice the one before, so that the bits of a float32 from one to the next
differ in the exponent alone, and a subtraction and a shift say how many limits are reached."""
_BITS = 6  # of a lane, for one size; what is beyond the last limit falls out of the lane
TWO_APART = 1 << 2 * _BITS
"""Room for all that sixteen lanes can hold of one size."""
_MANTISSA = 23  # bits of a float32 below its exponent
_FIRST, _LAST = (int(np.float32(limit).view(np.int32)) for limit in (LIMITS[0], LIMITS[-1]))
_LOWEST = _FIRST - (1 << _MANTISSA)  # stands for all that is less than the first limit
_LANE = ir.IntType(32)
_FLOATS, _WHOLES = ir.VectorType(ir.FloatType(), WIDTH), ir.VectorType(_LANE, WIDTH)
_ANYWHERE = ir.Constant(_LANE, 0)


class _Sixteen(types.Type):
    """Sixteen float32."""


class _Sizes(types.Type):
    """How often each size was met, in each of sixteen lanes."""


_sixteen, _sizes = _Sixteen("sixteen"), _Sizes("sizes")


def _is_held_in(kind: type, vector: ir.VectorType) -> None:
    def model(manager: Any, front: Any) -> Any:
        return models.PrimitiveModel(manager, front, vector)  # type: ignore[no-untyped-call]

    register_model(kind)(model)


def _becomes(sign: Callable[..., Any], instruction: str, kind: Any, **flags: Any) -> None:
    """What `a sign b` is of two of a kind."""

    def typed(context: Any) -> Callable[..., Any]:
        return lambda a, b: kind if a == kind and b == kind else None

    def lowered(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return getattr(builder, instruction)(*arguments, **flags)

    type_callable(sign)(typed)
    lower_builtin(sign, kind, kind)(lowered)  # type: ignore[no-untyped-call]


_is_held_in(_Sixteen, _FLOATS)
_is_held_in(_Sizes, _WHOLES)
# Multiply and add at once, but never in another order.
for _sign, _instruction in ((operator.add, "fadd"), (operator.sub, "fsub"), (operator.mul, "fmul")):
    _becomes(_sign, _instruction, _sixteen, flags=("contract",))
_becomes(operator.add, "add", _sizes)


@spelled_out
def load(typing: Any, values: Any, place: Any) -> Any:
    """Sixteen float32 from values[place] on."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = signature.args[0]
        start = pointer(context, builder, kind, arguments[0], arguments[1], _FLOATS)
        return builder.load(start, align=4)

    return _sixteen(values, types.uint64), generate


@spelled_out
def store(typing: Any, value: Any, target: Any, place: Any) -> Any:
    """The sixteen to target[place] and on."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = signature.args[1]
        start = pointer(context, builder, kind, arguments[1], arguments[2], _FLOATS)
        builder.store(arguments[0], start, align=4)
        return context.get_dummy_value()

    return types.void(value, target, types.uint64), generate


@spelled_out
def same(typing: Any, value: Any) -> Any:
    """A float32 in all lanes."""
    return _sixteen(types.float32), lambda context, builder, signature, arguments: _everywhere(
        builder, arguments[0], _FLOATS
    )


@spelled_out
def magnitude(typing: Any, values: Any) -> Any:
    """Without their signs."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        bits = builder.and_(builder.bitcast(arguments[0], _WHOLES), _all(0x7FFFFFFF))
        return builder.bitcast(bits, _FLOATS)

    return _sixteen(values), generate


@spelled_out
def no_sizes(typing: Any) -> Any:
    """None met yet."""
    return _sizes(), lambda context, builder, signature, arguments: _all(0)


@spelled_out
def size_of(typing: Any, values: Any) -> Any:
    """Of magnitudes: in each lane 1 in the six bits of the lowest of `LIMITS` that is above it."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        bits = builder.bitcast(arguments[0], _WHOLES)
        bits = builder.select(builder.icmp_signed("<", bits, _all(_LOWEST)), _all(_LOWEST), bits)
        bits = builder.select(builder.icmp_signed(">", bits, _all(_LAST)), _all(_LAST), bits)
        reached = builder.lshr(builder.sub(bits, _all(_LOWEST)), _all(_MANTISSA))
        return builder.shl(_all(1), builder.mul(reached, _all(_BITS)))

    return _sizes(values), generate


@spelled_out
def added(typing: Any, values: Any) -> Any:
    """The sum of the sixteen, float32."""
    return types.float32(values), lambda context, builder, signature, arguments: _folded(
        builder, builder.fadd, arguments[0]
    )


@spelled_out
def counted(typing: Any, sizes: Any, limit: Any) -> Any:
    """How many were below LIMITS[limit] and not below the one before, int64.

    Of the first three limits, and `TWO_APART` times as many as were so at LIMITS[limit + 2]; of the
    others what lies beyond that means nothing.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        shift = builder.mul(builder.trunc(arguments[1], _LANE), ir.Constant(_LANE, _BITS))
        moved = builder.lshr(arguments[0], _everywhere(builder, shift, _WHOLES))
        both = builder.and_(moved, _all(((1 << _BITS) - 1) * (1 + TWO_APART)))
        return builder.zext(_folded(builder, builder.add, both), ir.IntType(64))

    return types.int64(sizes, types.int64), generate


def _all(number: int) -> Any:
    return ir.Constant(_WHOLES, [number] * WIDTH)


def _everywhere(builder: Any, number: Any, vector: Any) -> Any:
    undefined = ir.Constant(vector, ir.Undefined)
    first = builder.insert_element(undefined, number, _ANYWHERE)
    return builder.shuffle_vector(first, undefined, _all(0))


def _folded(builder: Any, operation: Callable[..., Any], vector: Any) -> Any:
    """All lanes to one number, halves onto halves."""
    width = WIDTH
    while width > 1:
        width //= 2
        undefined = ir.Constant(vector.type, ir.Undefined)
        order = ir.VectorType(_LANE, width)
        lower = builder.shuffle_vector(vector, undefined, ir.Constant(order, [*range(width)]))
        upper = ir.Constant(order, [*range(width, 2 * width)])
        vector = operation(lower, builder.shuffle_vector(vector, undefined, upper))
    return builder.extract_element(vector, _ANYWHERE)
