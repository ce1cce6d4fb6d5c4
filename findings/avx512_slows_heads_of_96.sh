#!/usr/bin/env bash
# Guess: on a processor that has AVX-512, kernels that are compiled for it are never slower than kernels for AVX2.
# Truth: for heads of 64 and 128 numbers, attention to 1,024 tokens is somewhat faster in generation. For heads of 96 it
#   takes 4 to 7 times as long: AVX-512 kernels process 64 numbers at once, and the other 32 one by one.
# Version: xllamacpp 2026.10.11549 (llama.cpp b11549); another one: findings/avx512_slows_heads_of_96.sh VERSION
# Matters: Phi-3-mini and Phi-3.5-mini have such heads: in a long context they generate more slowly with native kernels.
# phi: phicli/hardware/native_gains.py has the speeds of both, and phi show prints a note about such a model.
# Source: ggml_vec_dot_f16 in https://github.com/ggml-org/llama.cpp/blob/master/ggml/src/ggml-cpu/vec.cpp (leftovers)
# Exit code: 0 while this is so, 1 when it has changed, 2 when the script cannot run: without AVX-512 or a compiler.

version=${1:-2026.10.11549}
grep -q avx512f /proc/cpuinfo || { echo "this processor has no AVX-512, or this is not Linux" >&2; exit 2; }
command -v c++ >/dev/null || { echo "there is no C++ compiler" >&2; exit 2; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env" &&
    "$work/env/bin/pip" install --quiet cmake==4.1.2 ninja==1.13.0 numpy==2.4.6 2>"$work/log" &&
    "$work/env/bin/pip" download --quiet --no-deps --no-binary xllamacpp --dest "$work" "xllamacpp==$version" 2>"$work/log" &&
    mkdir "$work/source" && tar -xzf "$work"/xllamacpp-*.tar.gz -C "$work/source" --strip-components 1 ||
    { cat "$work/log" >&2; exit 2; }
cat >"$work/CMakeLists.txt" <<'EOF'
cmake_minimum_required(VERSION 3.18)
project(kernels C CXX)
add_subdirectory(source/thirdparty/llama.cpp/ggml)
EOF
PATH="$work/env/bin:$PATH"
cmake -S "$work" -B "$work/build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DBUILD_SHARED_LIBS=ON -DGGML_BACKEND_DL=ON \
    -DGGML_CPU_ALL_VARIANTS=ON -DGGML_NATIVE=OFF >"$work/log" 2>&1 &&
    ninja -C "$work/build" ggml-cpu-haswell ggml-cpu-skylakex >"$work/log" 2>&1 ||
    { tail "$work/log" >&2; exit 2; }
echo "xllamacpp $version"
"$work/env/bin/python" - "$work/build" 2>"$work/log" <<'EOF'
import ctypes, os, pathlib, sys, time
import numpy

sys.excepthook = lambda *error: (sys.__excepthook__(*error), os._exit(2))
HEADS, TOKENS, F32, F16 = 32, 1024, 0, 1  # the last two are ggml's numbers of the types
POINTER, NUMBER, REAL, SIZE = ctypes.c_void_p, ctypes.c_int64, ctypes.c_float, ctypes.c_size_t


class Parameters(ctypes.Structure):
    _fields_ = [("size", SIZE), ("memory", POINTER), ("no_alloc", ctypes.c_bool)]


def library(name):
    (found,) = pathlib.Path(sys.argv[1]).rglob(name)
    return ctypes.CDLL(str(found), ctypes.RTLD_GLOBAL if "base" in name else ctypes.RTLD_LOCAL)


base = library("libggml-base.so")


def call(name, *arguments, of=base, returns=POINTER):
    function = getattr(of, name)
    function.restype = returns
    return function(*arguments)


def pointer(value):
    return POINTER(value)


def kernels(name):
    registered = call("ggml_backend_init", of=library(f"libggml-cpu-{name}.so"))
    device = call("ggml_backend_reg_dev_get", pointer(registered), SIZE(0))
    backend = call("ggml_backend_dev_init", pointer(device), None)
    address = call("ggml_backend_reg_get_proc_address", pointer(registered), b"ggml_backend_set_n_threads")
    ctypes.CFUNCTYPE(None, POINTER, ctypes.c_int)(address)(backend, 1)
    return pointer(backend)


def attention(backend, length):
    """A graph in which one token attends to TOKENS others, and its result."""
    context = pointer(call("ggml_init", Parameters(1 << 20, None, True)))
    sizes = {"q": (F32, length, 1, HEADS), "k": (F16, length, TOKENS, HEADS), "v": (F16, length, TOKENS, HEADS)}
    inputs = {
        name: pointer(call("ggml_new_tensor_3d", context, kind, *map(NUMBER, shape)))
        for name, (kind, *shape) in sizes.items()
    }
    scale = REAL(length**-0.5)
    result = pointer(call("ggml_flash_attn_ext", context, *inputs.values(), None, scale, REAL(0), REAL(0)))
    graph = pointer(call("ggml_new_graph", context))
    call("ggml_build_forward_expand", graph, result, returns=None)
    call("ggml_backend_alloc_ctx_tensors", context, backend)
    random = numpy.random.default_rng(0)
    for name, (kind, *shape) in sizes.items():
        values = random.normal(size=shape).astype("f4" if kind == F32 else "f2").tobytes()
        call("ggml_backend_tensor_set", inputs[name], values, SIZE(0), SIZE(len(values)), returns=None)
    return graph, result


def measure(backend, graph):
    """CPU milliseconds of one run; other programs disturb them less than the clock."""
    began = time.process_time()
    for _ in range(10):
        call("ggml_backend_graph_compute", backend, graph, returns=ctypes.c_int)
    return (time.process_time() - began) * 100


def numbers(result, length):
    values = numpy.zeros(length * HEADS, "f4")
    call("ggml_backend_tensor_get", result, pointer(values.ctypes.data), SIZE(0), SIZE(values.nbytes), returns=None)
    return values


backends = {name: kernels(name) for name in ("haswell", "skylakex")}
speed, same = {}, True
for length in (64, 96, 128):
    graphs = {name: attention(backend, length) for name, backend in backends.items()}
    rounds = [{name: measure(backends[name], graph) for name, (graph, _) in graphs.items()} for _ in range(21)]
    avx2, avx512 = (float(numpy.median([times[name] for times in rounds])) for name in backends)
    speed[length] = avx2 / avx512
    same = same and numpy.allclose(*(numbers(result, length) for _, result in graphs.values()), atol=1e-2)
    print(f"heads of {length:3}: AVX2 {avx2:.2f} ms, AVX-512 {avx512:.2f} ms, {speed[length]:.2f} times as fast")
print(f"the same results within 0.01: {same}")
still = same and speed[96] < 0.5 and speed[64] > 0.8 and speed[128] > 0.8
print(f"expected: at least as fast with AVX-512; slower for heads of 96 only: {still}", flush=True)
os._exit(0 if still else 1)
EOF
status=$?
[ $status -lt 2 ] || tail "$work/log" >&2
exit $status
