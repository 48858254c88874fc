"""Triton's kernels for the LSTM of the Gang: a step, and the way back through it.

A step gathers the projected tokens, multiplies the states, applies the gates and hands the last
states to the tokens whose windows end. Places are those of ``GangPlan``; a program of a kernel
takes some runs (or tokens), some columns and one unit.
"""

import triton
import triton.language as tl


@triton.jit
def write_one(out):
    tl.store(out, 1)


@triton.jit
def _columns(table, column, steps, units):
    """Where ``GangPlan.table`` has what: see there, from 3 on."""
    begins = table + 2 * column
    run_of = begins + (units // 2) * column
    going = run_of + (units // 2) * column
    rows = going + (steps + 1) * (units // 2)
    unit_runs = rows + (steps + 1) * units
    return begins, run_of, going, rows, unit_runs, unit_runs + units


@triton.jit
def _places(table, column, begins, window, i, going, step):
    """Where runs begin and are at a step, and the ends of their texts."""
    begin = tl.load(begins + window * column + i, mask=going, other=0)
    start = tl.load(table + begin, mask=going, other=0)
    stop = tl.load(table + column + begin, mask=going, other=0)
    return begin, start, stop, begin + step


@triton.jit
def _windows_that_end(begin, start, stop, place, reach):
    """The middles, from low to high, of the windows whose run has come to its last token.

    They begin where the run does, which is the first token within reach or, if that is cut, the
    text's first; and end where it is, within reach or cut likewise.
    """
    low = tl.where(begin == start, start, begin + reach)
    low = tl.maximum(tl.maximum(low, place - reach), start)
    high = tl.minimum(begin + reach, tl.where(place == stop, stop, place - reach))
    return low, tl.minimum(high, stop)


@triton.jit
def _as_read(unit, start, stop, place):
    """A place in the text, of one counted from where the unit begins to read."""
    return tl.where(unit % 2 == 1, start + stop - place, place)


@triton.jit
def _tanh(x):
    return 2 * tl.sigmoid(2 * x) - 1


@triton.jit(do_not_specialize=["column", "steps", "units", "step", "runs"])
def step(
    projected, recur, states, cells, kept_gates, kept_cells, out,
    table, column, steps, units, step, runs,
    FIRST: tl.constexpr, KEEP: tl.constexpr, PRECISION: tl.constexpr,
    HIDDEN: tl.constexpr, INDEX: tl.constexpr,
    RUNS: tl.constexpr, COLUMNS: tl.constexpr, DEPTH: tl.constexpr,
):  # fmt: skip
    """A step of all units: some runs' gates, cells and states, for some columns of the state."""
    unit = tl.program_id(2)
    window = unit // 2
    begins, _, going_table, rows, unit_runs, reaches = _columns(table, column, steps, units)
    n_going = tl.load(going_table + step * (units // 2) + window)
    n_next = tl.load(going_table + (step + 1) * (units // 2) + window)
    if tl.program_id(0) * RUNS >= n_going:
        return
    i = tl.program_id(0) * RUNS + tl.arange(0, RUNS)
    going = i < n_going
    k = tl.program_id(1) * COLUMNS + tl.arange(0, COLUMNS)
    inside = k < HIDDEN
    both = going[:, None] & inside[None, :]
    run = (tl.load(unit_runs + unit) + i).to(INDEX)
    row = (tl.load(rows + step * units + unit) + i).to(INDEX)

    a_i = tl.zeros([RUNS, COLUMNS], tl.float32)
    a_f = tl.zeros([RUNS, COLUMNS], tl.float32)
    a_g = tl.zeros([RUNS, COLUMNS], tl.float32)
    a_o = tl.zeros([RUNS, COLUMNS], tl.float32)
    if not FIRST:
        state = row if KEEP else (step % 2) * runs + run
        gate = HIDDEN * HIDDEN
        weights = recur + unit * 4 * gate + k[None, :] * HIDDEN
        for low in range(0, HIDDEN, DEPTH):
            depth = low + tl.arange(0, DEPTH)
            deep = depth < HIDDEN
            h_places = states + state[:, None] * HIDDEN + depth[None, :]
            h = tl.load(h_places, mask=going[:, None] & deep[None, :], other=0.0)
            w = weights + depth[:, None]
            there = deep[:, None] & inside[None, :]
            a_i = tl.dot(h, tl.load(w, there, 0.0), a_i, input_precision=PRECISION)
            a_f = tl.dot(h, tl.load(w + gate, there, 0.0), a_f, input_precision=PRECISION)
            a_g = tl.dot(h, tl.load(w + 2 * gate, there, 0.0), a_g, input_precision=PRECISION)
            a_o = tl.dot(h, tl.load(w + 3 * gate, there, 0.0), a_o, input_precision=PRECISION)

    begin, start, stop, place = _places(table, column, begins, window, i, going, step)
    token = _as_read(unit, start, stop, place).to(INDEX)
    inputs = projected + (token * units + unit)[:, None] * 4 * HIDDEN + k[None, :]
    i_gate = tl.sigmoid(a_i + tl.load(inputs, both, 0.0).to(tl.float32))
    f_gate = tl.sigmoid(a_f + tl.load(inputs + HIDDEN, both, 0.0).to(tl.float32))
    g_gate = _tanh(a_g + tl.load(inputs + 2 * HIDDEN, both, 0.0).to(tl.float32))
    o_gate = tl.sigmoid(a_o + tl.load(inputs + 3 * HIDDEN, both, 0.0).to(tl.float32))
    c = i_gate * g_gate
    cell = cells + run[:, None] * HIDDEN + k[None, :]
    if not FIRST:
        c += f_gate * tl.load(cell, both, 0.0)
    tl.store(cell, c, both)
    dtype = out.dtype.element_ty
    h_new = (o_gate * _tanh(c)).to(dtype)
    if KEEP:
        gates = kept_gates + row[:, None] * 4 * HIDDEN + k[None, :]
        tl.store(gates, i_gate.to(dtype), both)
        tl.store(gates + HIDDEN, f_gate.to(dtype), both)
        tl.store(gates + 2 * HIDDEN, g_gate.to(dtype), both)
        tl.store(gates + 3 * HIDDEN, o_gate.to(dtype), both)
        tl.store(kept_cells + row[:, None] * HIDDEN + k[None, :], c.to(dtype), both)

    next_row = (tl.load(rows + (step + 1) * units + unit) + i).to(INDEX)
    next_state = next_row if KEEP else ((step + 1) % 2) * runs + run
    goes_on = (i < n_next)[:, None] & inside[None, :]
    tl.store(states + next_state[:, None] * HIDDEN + k[None, :], h_new, goes_on)
    low, high = _windows_that_end(begin, start, stop, place, tl.load(reaches + window))
    for j in range(tl.max(tl.where(going, high - low + 1, 0), axis=0)):
        ends = (going & (low + j <= high))[:, None] & inside[None, :]
        of = _as_read(unit, start, stop, low + j).to(INDEX)
        tl.store(out + (of * units + unit)[:, None] * HIDDEN + k[None, :], h_new, ends)


@triton.jit(do_not_specialize=["column", "steps", "units", "step"])
def multiply_back(
    d_gates, recur, d_states, table, column, steps, units, step,
    PRECISION: tl.constexpr, HIDDEN: tl.constexpr, INDEX: tl.constexpr,
    RUNS: tl.constexpr, COLUMNS: tl.constexpr, DEPTH: tl.constexpr,
):  # fmt: skip
    """The gradients of the states that runs begin a step with, by those of the step's gates."""
    unit = tl.program_id(2)
    _, _, going_table, rows, unit_runs, _ = _columns(table, column, steps, units)
    n_going = tl.load(going_table + step * (units // 2) + unit // 2)
    if tl.program_id(0) * RUNS >= n_going:
        return
    i = tl.program_id(0) * RUNS + tl.arange(0, RUNS)
    going = i < n_going
    k = tl.program_id(1) * COLUMNS + tl.arange(0, COLUMNS)
    inside = k < HIDDEN
    row = (tl.load(rows + step * units + unit) + i).to(INDEX)
    total = tl.zeros([RUNS, COLUMNS], tl.float32)
    weights = recur + (unit * HIDDEN + k[None, :]) * 4 * HIDDEN
    for low in range(0, 4 * HIDDEN, DEPTH):
        depth = low + tl.arange(0, DEPTH)
        deep = depth < 4 * HIDDEN
        d_places = d_gates + row[:, None] * 4 * HIDDEN + depth[None, :]
        d = tl.load(d_places, mask=going[:, None] & deep[None, :], other=0.0)
        w = tl.load(weights + depth[:, None], deep[:, None] & inside[None, :], 0.0)
        total = tl.dot(d, w, total, input_precision=PRECISION)
    run = (tl.load(unit_runs + unit) + i).to(INDEX)
    to = d_states + run[:, None] * HIDDEN + k[None, :]
    tl.store(to, total.to(d_states.dtype.element_ty), going[:, None] & inside[None, :])


@triton.jit(do_not_specialize=["column", "steps", "units", "step"])
def step_back(
    d_out, d_states, kept_gates, kept_cells, d_cells, d_gates,
    table, column, steps, units, step,
    FIRST: tl.constexpr, HIDDEN: tl.constexpr, INDEX: tl.constexpr,
    RUNS: tl.constexpr, COLUMNS: tl.constexpr,
):  # fmt: skip
    """The way back through a step: the gradients of some runs' gates, for some columns."""
    unit = tl.program_id(2)
    window = unit // 2
    begins, _, going_table, rows, unit_runs, reaches = _columns(table, column, steps, units)
    n_going = tl.load(going_table + step * (units // 2) + window)
    n_next = tl.load(going_table + (step + 1) * (units // 2) + window)
    if tl.program_id(0) * RUNS >= n_going:
        return
    i = tl.program_id(0) * RUNS + tl.arange(0, RUNS)
    going = i < n_going
    k = tl.program_id(1) * COLUMNS + tl.arange(0, COLUMNS)
    inside = k < HIDDEN
    both = going[:, None] & inside[None, :]
    goes_on = (i < n_next)[:, None] & inside[None, :]
    run = (tl.load(unit_runs + unit) + i).to(INDEX)
    row = (tl.load(rows + step * units + unit) + i).to(INDEX)
    of_run = run[:, None] * HIDDEN + k[None, :]

    d_h = tl.load(d_states + of_run, goes_on, 0.0).to(tl.float32)
    begin, start, stop, place = _places(table, column, begins, window, i, going, step)
    low, high = _windows_that_end(begin, start, stop, place, tl.load(reaches + window))
    for j in range(tl.max(tl.where(going, high - low + 1, 0), axis=0)):
        ends = (going & (low + j <= high))[:, None] & inside[None, :]
        of = _as_read(unit, start, stop, low + j).to(INDEX)
        d_last = d_out + (of * units + unit)[:, None] * HIDDEN + k[None, :]
        d_h += tl.load(d_last, ends, 0.0).to(tl.float32)

    gates = kept_gates + row[:, None] * 4 * HIDDEN + k[None, :]
    i_gate = tl.load(gates, both, 0.0).to(tl.float32)
    f_gate = tl.load(gates + HIDDEN, both, 0.0).to(tl.float32)
    g_gate = tl.load(gates + 2 * HIDDEN, both, 0.0).to(tl.float32)
    o_gate = tl.load(gates + 3 * HIDDEN, both, 0.0).to(tl.float32)
    c = tl.load(kept_cells + row[:, None] * HIDDEN + k[None, :], both, 0.0)
    squashed = _tanh(c.to(tl.float32))
    d_c = tl.load(d_cells + of_run, goes_on, 0.0) + d_h * o_gate * (1 - squashed * squashed)
    tl.store(d_cells + of_run, d_c * f_gate, both)
    dtype = d_gates.dtype.element_ty
    to = d_gates + row[:, None] * 4 * HIDDEN + k[None, :]
    tl.store(to, (d_c * g_gate * i_gate * (1 - i_gate)).to(dtype), both)
    tl.store(to + 2 * HIDDEN, (d_c * i_gate * (1 - g_gate * g_gate)).to(dtype), both)
    tl.store(to + 3 * HIDDEN, (d_h * squashed * o_gate * (1 - o_gate)).to(dtype), both)
    d_f = tl.zeros([RUNS, COLUMNS], tl.float32)
    if not FIRST:
        before = (tl.load(rows + (step - 1) * units + unit) + i).to(INDEX)
        c_before = tl.load(kept_cells + before[:, None] * HIDDEN + k[None, :], both, 0.0)
        d_f = d_c * c_before.to(tl.float32) * f_gate * (1 - f_gate)
    tl.store(to + HIDDEN, d_f.to(dtype), both)


@triton.jit(do_not_specialize=["column", "steps", "units", "tokens"])
def sum_over_runs(
    d_gates, d_projected, table, column, steps, units, tokens,
    HIDDEN: tl.constexpr, INDEX: tl.constexpr, TOKENS: tl.constexpr, COLUMNS: tl.constexpr,
):  # fmt: skip
    """A projected token's gradient: the sum over the runs that read it, each at its step."""
    unit = tl.program_id(2)
    window = unit // 2
    _, run_of, going_table, rows, _, _ = _columns(table, column, steps, units)
    token = tl.program_id(0) * TOKENS + tl.arange(0, TOKENS)
    there = token < tokens
    k = tl.program_id(1) * COLUMNS + tl.arange(0, COLUMNS)
    inside = k < 4 * HIDDEN
    start = tl.load(table + token, there, 0)
    stop = tl.load(table + column + token, there, 0)
    place = _as_read(unit, start, stop, token)
    total = tl.zeros([TOKENS, COLUMNS], tl.float32)
    for step in range(steps):
        begin = place - step
        run = tl.load(run_of + window * column + begin, there & (begin >= start), -1)
        going = (run >= 0) & (run < tl.load(going_table + step * (units // 2) + window))
        row = (tl.load(rows + step * units + unit) + run).to(INDEX)
        d = d_gates + row[:, None] * 4 * HIDDEN + k[None, :]
        total += tl.load(d, going[:, None] & inside[None, :], 0.0).to(tl.float32)
    to = d_projected + (token.to(INDEX) * units + unit)[:, None] * 4 * HIDDEN + k[None, :]
    tl.store(to, total.to(d_projected.dtype.element_ty), there[:, None] & inside[None, :])
