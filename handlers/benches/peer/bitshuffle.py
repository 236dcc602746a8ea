"""The C library of bitshuffle, as the Python package of that name ships it.

Called by ctypes rather than by its Python functions: those allocate their output each time. On the
standard input come lines: "load NAME ELEMENT COUNT BLOCK LENGTH" with so many bytes after it, and
"decode NAME TIMES" or "unshuffle NAME TIMES", answered with the seconds of the fastest time.
"""

import ctypes
import sys
import time

import bitshuffle.ext

library = ctypes.CDLL(bitshuffle.ext.__file__)
functions = {
    "decode": library.bshuf_decompress_lz4,
    "unshuffle": library.bshuf_bitunshuffle,
}
for function in functions.values():
    function.restype = ctypes.c_int64
    function.argtypes = [ctypes.c_void_p, ctypes.c_void_p] + [ctypes.c_size_t] * 3

loaded = {}
print("AVX2" if bitshuffle.ext.using_AVX2() else "SSE2", flush=True)
while line := sys.stdin.buffer.readline().split():
    command, name, *numbers = line
    command, numbers = command.decode(), [int(number) for number in numbers]
    if command == "load":
        element, count, block, length = numbers
        source = ctypes.create_string_buffer(sys.stdin.buffer.read(length), length)
        out = ctypes.create_string_buffer(element * count)
        ctypes.memset(out, 1, len(out))
        loaded[name] = (source, out, count, element, block)
        print("ok", flush=True)
        continue
    best = float("inf")
    for _ in range(numbers[0]):
        start = time.perf_counter()
        result = functions[command](*loaded[name])
        best = min(best, time.perf_counter() - start)
        if result < 0:
            sys.exit(f"{command} failed: {result}")
    print(best, flush=True)
