"""Products of one row of bytes with many others: 64 of them in a step where the machine has one.

Numba's loops over bytes take a sixth of what AVX-512 VNNI allows, so that its instruction is
written in the compiler's own language; on a machine without it the same sums are plain loops.

Rows stand in blocks of LANES, four numbers of each side by side, so that one register holds four
numbers of every row of a block, and no sum is ever taken across a register: (blocks, D / 4, LANES,
4) uint8. Queries stand in groups: (D / 4, queries, 4) int8. Places are elements of contiguous
arrays, and must be there: nothing checks them.
"""

from collections.abc import Callable
from typing import Any

from llvmlite import binding, ir
from numba import njit, types
from numba.core.registry import cpu_target
from numba.extending import intrinsic

LANES = 16
"""Rows of a block: of so many the sums of 32 bits fill a register."""
STEP = 4
"""Numbers of a row that are multiplied and added in one step."""
LARGE, SMALL = 16, 4
"""Queries of a group: as many sums as registers hold, and few, for a batch of few images."""

_SUMS = ir.VectorType(ir.IntType(32), LANES)
_BYTES = ir.VectorType(ir.IntType(8), LANES * STEP)
_PREFETCH = [ir.IntType(8).as_pointer(), *[ir.IntType(32)] * 3]
_READ_ALL_SOON = [ir.Constant(ir.IntType(32), n) for n in (0, 3, 1)]
"""What LLVM wants to know of a prefetch: to read, into every cache, data."""


def _fetch(builder: Any, pointer: Any) -> None:
    """Have what is there brought nearer, while other things are done; nowhere is no fault."""
    name = "llvm.prefetch.p0"
    prefetch = builder.module.globals.get(name) or ir.Function(
        builder.module, ir.FunctionType(ir.VoidType(), _PREFETCH), name
    )
    builder.call(prefetch, [pointer, *_READ_ALL_SOON])


def _fetched(typing: Any, array: Any, place: Any) -> Any:

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = signature.args[0]
        data = context.make_array(kind)(context, builder, arguments[0]).data
        at = builder.bitcast(builder.gep(data, [arguments[1]]), _PREFETCH[0])
        _fetch(builder, at)
        return context.get_dummy_value()

    return types.void(array, types.intp), generate


fetch: Callable[..., Any] = intrinsic(_fetched)
"""Brings nearer what stands at a place of a contiguous array, or behind its end."""


def _at_once(queries: int) -> Callable[..., Any]:
    """The sums of one block with a group of `queries`, by the instruction."""

    def products(
        typing: Any, rows: Any, row: Any, group: Any, first: Any, steps: Any, sums: Any, place: Any
    ) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            def pointer(array: int, at: Any) -> Any:
                kind = signature.args[array]
                data = context.make_array(kind)(context, builder, arguments[array]).data
                return builder.gep(data, [at])

            number = ir.IntType(64)
            block, asked = pointer(0, arguments[1]), pointer(2, arguments[3])
            name = "llvm.x86.avx512.vpdpbusd.512"
            add_products = builder.module.globals.get(name) or ir.Function(
                builder.module, ir.FunctionType(_SUMS, [_SUMS, _BYTES, _BYTES]), name
            )
            before, loop = builder.block, builder.append_basic_block("steps")
            after = builder.append_basic_block("after")
            builder.branch(loop)
            builder.position_at_end(loop)
            step = builder.phi(number)
            held = [builder.phi(_SUMS) for _ in range(queries)]
            at = builder.gep(block, [builder.mul(step, ir.Constant(number, LANES * STEP))])
            own = builder.load(builder.bitcast(at, _BYTES.as_pointer()), align=1)
            # The next block meanwhile; the processor alone does it by half.
            block_bytes = builder.mul(arguments[4], ir.Constant(number, LANES * STEP))
            _fetch(builder, builder.gep(at, [block_bytes]))
            at = builder.gep(asked, [builder.mul(step, ir.Constant(number, queries * STEP))])
            four = builder.bitcast(at, ir.IntType(32).as_pointer())
            found = []
            for query, so_far in enumerate(held):
                one = builder.load(builder.gep(four, [ir.Constant(number, query)]), align=1)
                unknown = ir.Constant(_SUMS, ir.Undefined)
                every = builder.insert_element(unknown, one, ir.Constant(ir.IntType(32), 0))
                every = builder.shuffle_vector(every, unknown, ir.Constant(_SUMS, [0] * LANES))
                theirs = builder.bitcast(every, _BYTES)
                found.append(builder.call(add_products, [so_far, own, theirs]))
            following = builder.add(step, ir.Constant(number, 1))
            step.add_incoming(ir.Constant(number, 0), before)
            step.add_incoming(following, loop)
            for so_far, now in zip(held, found, strict=True):
                so_far.add_incoming(ir.Constant(_SUMS, [0] * LANES), before)
                so_far.add_incoming(now, loop)
            builder.cbranch(builder.icmp_signed("<", following, arguments[4]), loop, after)
            builder.position_at_end(after)
            end = builder.bitcast(pointer(5, arguments[6]), _SUMS.as_pointer())
            for query, now in enumerate(found):
                builder.store(now, builder.gep(end, [ir.Constant(number, query)]), align=4)
            return context.get_dummy_value()

        place_kinds = (rows, types.intp, group, types.intp, types.intp, sums, types.intp)
        return types.void(*place_kinds), generate

    compiled: Callable[..., Any] = intrinsic(products)
    return compiled


def _in_turn(queries: int) -> Callable[..., Any]:
    """The same, one number after another."""

    @njit(nogil=True, inline="always")
    def products(
        rows: Any, row: int, group: Any, first: int, steps: int, sums: Any, place: int
    ) -> None:
        for number in range(queries * LANES):
            sums[place + number] = 0
        for step in range(steps):
            for query in range(queries):
                for lane in range(LANES):
                    for k in range(STEP):
                        own = rows[row + (step * LANES + lane) * STEP + k]
                        asked = group[first + (step * queries + query) * STEP + k]
                        sums[place + query * LANES + lane] += int(own) * int(asked)

    return products


def has_instruction() -> bool:
    """Whether the machine that is compiled for multiplies bytes at once, and the compiler is one
    that we know it by.

    That machine may be told to be less than this one (NUMBA_CPU_NAME, NUMBA_CPU_FEATURES,
    NUMBA_ENABLE_AVX); LLVM ends the process over an instruction that it may not use. Before version
    22 it wanted the bytes of this one as 32 bits.
    """
    _, _, features = cpu_target.target_context.codegen().magic_tuple()
    return "+avx512vnni" in features.split(",") and binding.llvm_version_info[0] >= 22


_products = _at_once if has_instruction() else _in_turn
products_of_large, products_of_small = _products(LARGE), _products(SMALL)
"""rows, first byte of a block, groups, first byte of a group, D / 4, sums, first sum: adds up
`rows` times each query of the group into sums (queries, LANES) int32; all arrays flat."""
